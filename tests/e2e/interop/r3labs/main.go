// r3labs/sse's client as a program that never gives up uses it: r3labs URL
package main

import (
	"encoding/json"
	"os"

	"github.com/r3labs/sse/v2"
)

func main() {
	out := json.NewEncoder(os.Stdout)
	client := sse.NewClient(os.Args[1])
	handle := func(e *sse.Event) {
		kind := string(e.Event)
		if kind == "" {
			kind = "message"
		}
		_ = out.Encode(map[string]string{"type": kind, "id": string(e.ID),
			"data": string(e.Data), "retry": string(e.Retry)})
	}
	for {
		// It comes back by itself, but not when the stream came to its end: then it returns.
		err := client.SubscribeRaw(handle)
		_ = out.Encode(map[string]any{"returned": err == nil})
	}
}
