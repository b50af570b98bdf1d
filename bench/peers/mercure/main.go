// The Mercure hub as a library: anonymous subscribers, publishers with a JWT of the given key, and
// its in-memory transport. GET and POST /.well-known/mercure.
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/dunglas/mercure"
)

func main() {
	address := flag.String("listen", "127.0.0.1:8080", "address")
	key := flag.String("key", "", "HMAC key (HS256) of the publishers' tokens")
	flag.Parse()

	hub, err := mercure.NewHub(
		mercure.WithAnonymous(),
		mercure.WithPublisherJWT([]byte(*key), "HS256"),
		mercure.WithSubscriberJWT([]byte(*key), "HS256"),
		mercure.WithWriteTimeout(0),
		mercure.WithTransport(mercure.NewLocalTransport()),
	)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/.well-known/mercure", hub)
	log.Fatal(http.ListenAndServe(*address, mux))
}
