// hertz-contrib/sse as its chat example uses it: a channel for each stream, a broadcast that writes
// to all of them. GET /events?stream=T, POST /publish?stream=T with text; DELETE /events?stream=T
// ends its streams.
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
	end    chan struct{}
}

type hub struct {
	mutex   sync.Mutex
	readers map[string]map[*reader]struct{}
	kept    map[string][]*sse.Event // nil: nothing is kept
	number  atomic.Int64
}

// Returns what it has missed.
func (h *hub) add(topic, lastID string, r *reader) []*sse.Event {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.readers[topic] == nil {
		h.readers[topic] = map[*reader]struct{}{}
	}
	h.readers[topic][r] = struct{}{}
	for i, event := range h.kept[topic] {
		if event.ID == lastID {
			return h.kept[topic][i+1:]
		}
	}
	return nil
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
	r := &reader{events: make(chan *sse.Event, 64), gone: make(chan struct{}),
		end: make(chan struct{})}
	missed := h.add(topic, sse.GetLastEventID(c), r)
	defer h.remove(topic, r)
	for _, event := range missed {
		if stream.Publish(event) != nil {
			return
		}
	}
	for {
		select {
		case event := <-r.events:
			if stream.Publish(event) != nil {
				return
			}
		case <-ctx.Done():
			return
		case <-r.end:
			return
		}
	}
}

func (h *hub) end(_ context.Context, c *app.RequestContext) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	topic := c.Query("stream")
	for r := range h.readers[topic] {
		close(r.end)
	}
	delete(h.readers, topic)
}

func (h *hub) publish(_ context.Context, c *app.RequestContext) {
	event := &sse.Event{
		ID:   strconv.FormatInt(h.number.Add(1), 10),
		Data: append([]byte(nil), c.Request.Body()...),
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	topic := c.Query("stream")
	if h.kept != nil {
		h.kept[topic] = append(h.kept[topic], event)
	}
	for r := range h.readers[topic] {
		select {
		case r.events <- event:
		case <-r.gone:
		}
	}
	c.SetStatusCode(204)
}

func main() {
	address := flag.String("listen", "127.0.0.1:8080", "address")
	replay := flag.Bool("replay", false, "keep events for clients that come back")
	flag.Parse()
	hlog.SetLevel(hlog.LevelFatal)
	// Its default network library does not tell a handler that waits of a client that left.
	s := server.New(server.WithHostPorts(*address), server.WithSenseClientDisconnection(true),
		server.WithDisablePrintRoute(true))
	h := &hub{readers: map[string]map[*reader]struct{}{}}
	if *replay {
		h.kept = map[string][]*sse.Event{}
	}
	s.GET("/events", h.subscribe)
	s.DELETE("/events", h.end)
	s.POST("/publish", h.publish)
	s.Spin()
}
