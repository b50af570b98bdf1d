// The Mercure hub as a library: publishers with a JWT of the given key, subscribers with one of
// theirs or anonymous ones, and its in-memory transport. GET and POST /.well-known/mercure.
package main

import (
	"flag"
	"log"
	"net/http"
	"os"

	"github.com/dunglas/mercure"
)

func main() {
	address := flag.String("listen", "127.0.0.1:8080", "address")
	key := flag.String("key", "", "HMAC key (HS256) of the publishers' tokens")
	subscribers := flag.String("subscribers-key", "",
		"file with the public key (ES256) of the subscribers' tokens; without: nobody needs one")
	flag.Parse()

	options := []mercure.Option{
		mercure.WithPublisherJWT([]byte(*key), "HS256"),
		mercure.WithWriteTimeout(0),
		mercure.WithTransport(mercure.NewLocalTransport()),
	}
	if *subscribers == "" {
		options = append(options, mercure.WithAnonymous(), mercure.WithSubscriberJWT([]byte(*key), "HS256"))
	} else {
		public, err := os.ReadFile(*subscribers)
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, mercure.WithSubscriberJWT(public, "ES256"))
	}
	hub, err := mercure.NewHub(options...)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/.well-known/mercure", hub)
	log.Fatal(http.ListenAndServe(*address, mux))
}
