// r3labs/sse as its users set it up: GET /events?stream=T, POST /publish?stream=T with text.
package main

import (
	"flag"
	"io"
	"log"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/r3labs/sse/v2"
)

func main() {
	address := flag.String("listen", "127.0.0.1:8080", "address")
	flag.Parse()

	server := sse.New()
	server.AutoStream = true
	// Its history is unbounded: without it nothing but delivery is measured, in its favour.
	server.AutoReplay = false

	var number atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/events", server.ServeHTTP)
	mux.HandleFunc("/publish", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || len(body) == 0 {
			http.Error(w, "msg required", http.StatusBadRequest)
			return
		}
		server.Publish(r.URL.Query().Get("stream"), &sse.Event{
			ID:   []byte(strconv.FormatInt(number.Add(1), 10)),
			Data: body,
		})
		w.WriteHeader(http.StatusNoContent)
	})
	log.Fatal(http.ListenAndServe(*address, mux))
}
