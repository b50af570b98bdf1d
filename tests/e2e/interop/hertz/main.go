// hertz-contrib/sse's client as a program that never gives up uses it: hertz URL
package main

import (
	"encoding/json"
	"os"
	"time"

	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/cloudwego/hertz/pkg/protocol"
	"github.com/hertz-contrib/sse"
)

func main() {
	hlog.SetLevel(hlog.LevelFatal)
	out := json.NewEncoder(os.Stdout)
	client, err := sse.NewClientWithOptions()
	if err != nil {
		panic(err)
	}
	lastID, retryMs := "", uint64(3000)
	handle := func(e *sse.Event) {
		kind := e.Event
		if kind == "" {
			kind = "message"
		}
		if e.ID != "" {
			lastID = e.ID
		}
		if e.Retry != 0 {
			retryMs = e.Retry
		}
		_ = out.Encode(map[string]any{"type": kind, "id": e.ID, "data": string(e.Data)})
	}
	for {
		// It never comes back by itself, nor sends the id that it remembers.
		request := protocol.AcquireRequest()
		request.SetMethod("GET")
		request.SetRequestURI(os.Args[1])
		if lastID != "" {
			request.SetHeader("Last-Event-ID", lastID)
		}
		err := client.Subscribe(handle, sse.WithRequest(request))
		protocol.ReleaseRequest(request)
		_ = out.Encode(map[string]any{"returned": err == nil, "pause": retryMs})
		time.Sleep(time.Duration(retryMs) * time.Millisecond)
	}
}
