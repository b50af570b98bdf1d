// r3labs/sse as its users set it up: GET /events?stream=T, POST /publish?stream=T with text;
// DELETE /events?stream=T ends the stream.
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
	// Its history is unbounded, and lines cost it a search: without both nothing but delivery is
	// measured, in its favour.
	replay := flag.Bool("replay", false, "keep events for clients that come back, split lines")
	flag.Parse()

	server := sse.New()
	server.AutoStream = true
	server.AutoReplay = *replay
	server.SplitData = *replay

	var number atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			server.RemoveStream(r.URL.Query().Get("stream"))
			return
		}
		server.ServeHTTP(w, r)
	})
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
