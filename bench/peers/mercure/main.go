// The Mercure hub as a library: publishers with a JWT of the given key, subscribers with one of
// theirs or anonymous ones, and its in-memory transport or that with a Bolt file. GET and POST
// /.well-known/mercure.
package main

import (
	"flag"
	"log"
	"net/http"
	"os"

	"github.com/dunglas/mercure"
	"go.uber.org/zap"
)

func main() {
	address := flag.String("listen", "127.0.0.1:8080", "address")
	key := flag.String("key", "", "HMAC key (HS256) of the publishers' tokens")
	subscribers := flag.String("subscribers-key", "",
		"file with the public key (ES256) of the subscribers' tokens; without: nobody needs one")
	bolt := flag.String("bolt", "", "file of the Bolt transport; without: the in-memory one")
	flag.Parse()

	var transport mercure.Transport = mercure.NewLocalTransport()
	if *bolt != "" {
		var err error
		// As its users have it: what it keeps has no limit.
		transport, err = mercure.NewBoltTransport(zap.NewNop(), *bolt, "", 0, mercure.BoltDefaultCleanupFrequency)
		if err != nil {
			log.Fatal(err)
		}
	}
	options := []mercure.Option{
		mercure.WithPublisherJWT([]byte(*key), "HS256"),
		mercure.WithWriteTimeout(0),
		mercure.WithTransport(transport),
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
