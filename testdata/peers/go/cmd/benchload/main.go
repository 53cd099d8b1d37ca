// SPDX-License-Identifier: Apache-2.0

// Command benchload is the client of the benches: it calls an agent socket through whatever lies in between, checks every
// reply (package pattern), and writes how many there were and how long they took. It takes JSON lines on stdin, one
// command each, and writes one line for each, with the command's op as its event: an "error" in it says which reply was
// wrong, and the bench is void then. The end of stdin ends the program.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"peerctl.test/peers/internal/lines"
)

// command is one line; which fields count depends on op.
type command struct {
	Op string `json:"op"`
	// Socket is the agent socket (dial), Sockets are many (open).
	Socket  string   `json:"socket"`
	Sockets []string `json:"sockets"`
	// Call is unary, read or copy; Bytes its payload, InFlight the calls at a time, Seconds how long (run), and Calls,
	// if it is not 0, how many instead (run).
	Call     string  `json:"call"`
	Bytes    int     `json:"bytes"`
	InFlight int     `json:"in_flight"`
	Seconds  float64 `json:"seconds"`
	Calls    int     `json:"calls"`
	// Count is how many calls are parked (park).
	Count int `json:"count"`
	// Path is what a container waits for (hold_container).
	Path string `json:"path"`
	// Address and files are for handshakes.
	Address    string `json:"address"`
	ServerName string `json:"server_name"`
	CAFile     string `json:"ca_file"`
	CertFile   string `json:"cert_file"`
	KeyFile    string `json:"key_file"`
}

// answer is what became of a command.
type answer map[string]any

func main() {
	l := &load{}
	err := lines.Read(func(line []byte) {
		var c command
		if err := json.Unmarshal(line, &c); err != nil {
			fmt.Fprintln(os.Stderr, "benchload:", err)
			os.Exit(1)
		}
		// A command runs beside those that follow it: what is held back must not hold back the command that lets it go.
		go func() {
			result, err := l.do(c)
			if result == nil {
				result = answer{}
			}
			result["event"] = c.Op
			if err != nil {
				result["error"] = err.Error()
			}
			lines.Write(result)
		}()
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchload:", err)
		os.Exit(1)
	}
}

func (l *load) do(c command) (answer, error) {
	switch c.Op {
	case "dial":
		return nil, l.dial(c.Socket)
	case "run":
		return l.run(c)
	case "park":
		l.park(c.Count)
		return nil, nil
	case "release":
		return l.releaseAll()
	case "hold_container":
		return nil, l.holdContainer(c)
	case "hold":
		l.gate.Hold()
		return l.count(), nil
	case "go":
		l.gate.Go()
		return l.count(), nil
	case "count":
		return l.count(), nil
	case "handshakes":
		return handshakes(c)
	case "open":
		return nil, l.open(c)
	case "check_all":
		return l.checkAll(c)
	}
	return nil, fmt.Errorf("no op %q", c.Op)
}
