// Centrifugo's unidirectional SSE on its library, centrifuge: the same node, client and broker, and
// a transport like Centrifugo's own. Channels are those of the query's cf_connect; everybody may
// subscribe. GET /connection/uni_sse?cf_connect=JSON, POST /api/publish.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"
)

type channelsKey struct{}

type transport struct {
	mutex    sync.Mutex
	messages chan []byte
	ended    chan struct{} // the hub closed the stream
	gone     chan struct{} // its handler returned
	closed   bool
}

func (t *transport) Name() string                                { return "uni_sse" }
func (t *transport) Protocol() centrifuge.ProtocolType           { return centrifuge.ProtocolTypeJSON }
func (t *transport) ProtocolVersion() centrifuge.ProtocolVersion { return centrifuge.ProtocolVersion2 }
func (t *transport) Unidirectional() bool                        { return true }
func (t *transport) Emulation() bool                             { return false }

// Its greeting is an event that nobody published, and would count as one.
func (t *transport) DisabledPushFlags() uint64 { return centrifuge.PushFlagConnect }
func (t *transport) PingPongConfig() centrifuge.PingPongConfig {
	return centrifuge.PingPongConfig{PingInterval: 25 * time.Second}
}

func (t *transport) Write(message []byte) error { return t.WriteMany(message) }

func (t *transport) WriteMany(messages ...[]byte) error {
	for _, message := range messages {
		select {
		case t.messages <- message:
		case <-t.gone:
			return nil
		}
	}
	return nil
}

func (t *transport) Close(centrifuge.Disconnect) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if !t.closed {
		t.closed = true
		close(t.ended)
	}
	return nil
}

func subscribe(node *centrifuge.Node, w http.ResponseWriter, r *http.Request) {
	var connect struct {
		Subs map[string]struct{} `json:"subs"`
	}
	if err := json.Unmarshal([]byte(r.URL.Query().Get("cf_connect")), &connect); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	t := &transport{messages: make(chan []byte), ended: make(chan struct{}),
		gone: make(chan struct{})}
	ctx := context.WithValue(r.Context(), channelsKey{}, connect.Subs)
	client, end, err := centrifuge.NewClient(ctx, node, t)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = end() }()
	defer close(t.gone)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	controller := http.NewResponseController(w)
	if controller.Flush() != nil {
		return
	}
	client.Connect(centrifuge.ConnectRequest{})
	for {
		select {
		case <-r.Context().Done():
			return
		case <-t.ended:
			return
		case message := <-t.messages:
			if _, err := w.Write([]byte("data: " + string(message) + "\n\n")); err != nil {
				return
			}
			if controller.Flush() != nil {
				return
			}
		}
	}
}

func publish(node *centrifuge.Node, w http.ResponseWriter, r *http.Request) {
	var request struct {
		Channel string          `json:"channel"`
		Data    json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if _, err := node.Publish(request.Channel, request.Data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"result":{}}`))
}

func main() {
	address := flag.String("listen", "127.0.0.1:8080", "address")
	flag.Parse()
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(func(ctx context.Context, _ centrifuge.ConnectEvent) (
		centrifuge.ConnectReply, error) {
		reply := centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{},
			Subscriptions: map[string]centrifuge.SubscribeOptions{},
		}
		channels, _ := ctx.Value(channelsKey{}).(map[string]struct{})
		for channel := range channels {
			reply.Subscriptions[channel] = centrifuge.SubscribeOptions{}
		}
		return reply, nil
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/connection/uni_sse", func(w http.ResponseWriter, r *http.Request) {
		subscribe(node, w, r)
	})
	mux.HandleFunc("/api/publish", func(w http.ResponseWriter, r *http.Request) {
		publish(node, w, r)
	})
	log.Fatal(http.ListenAndServe(*address, mux))
}
