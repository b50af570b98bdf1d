// hertz-contrib/sse as its chat example uses it: a channel for each stream, a broadcast that writes
// to all of them. GET /events?stream=T, POST /publish?stream=T with text.
package main

import (
	"context"
	"flag"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/hertz-contrib/sse"
)

type reader struct {
	events chan *sse.Event
	gone   chan struct{}
}

type hub struct {
	mutex   sync.Mutex
	readers map[string]map[*reader]struct{}
	number  atomic.Int64
}

func (h *hub) add(topic string, r *reader) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.readers[topic] == nil {
		h.readers[topic] = map[*reader]struct{}{}
	}
	h.readers[topic][r] = struct{}{}
}

func (h *hub) remove(topic string, r *reader) {
	close(r.gone) // before the lock: a publish may hold it and wait for this reader
	h.mutex.Lock()
	defer h.mutex.Unlock()
	delete(h.readers[topic], r)
}

func (h *hub) subscribe(ctx context.Context, c *app.RequestContext) {
	topic := c.Query("stream")
	stream := sse.NewStream(c)
	// The head goes out with the first write; without one a client waits for it.
	if stream.Publish(&sse.Event{Event: "open", Data: []byte("ok")}) != nil {
		return
	}
	r := &reader{events: make(chan *sse.Event, 64), gone: make(chan struct{})}
	h.add(topic, r)
	defer h.remove(topic, r)
	for {
		select {
		case event := <-r.events:
			if stream.Publish(event) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func (h *hub) publish(_ context.Context, c *app.RequestContext) {
	event := &sse.Event{
		ID:   strconv.FormatInt(h.number.Add(1), 10),
		Data: append([]byte(nil), c.Request.Body()...),
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for r := range h.readers[c.Query("stream")] {
		select {
		case r.events <- event:
		case <-r.gone:
		}
	}
	c.SetStatusCode(204)
}

func main() {
	address := flag.String("listen", "127.0.0.1:8080", "address")
	flag.Parse()
	hlog.SetLevel(hlog.LevelFatal)
	// Its default network library does not tell a handler that waits of a client that left.
	s := server.New(server.WithHostPorts(*address), server.WithSenseClientDisconnection(true),
		server.WithDisablePrintRoute(true))
	h := &hub{readers: map[string]map[*reader]struct{}{}}
	s.GET("/events", h.subscribe)
	s.POST("/publish", h.publish)
	s.Spin()
}
