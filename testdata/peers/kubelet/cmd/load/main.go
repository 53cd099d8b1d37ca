// SPDX-License-Identifier: Apache-2.0

// Command load measures whatever speaks a kubelet's protocol: it reads one JSON order a line from stdin and answers each
// with one line on stdout. A reply that is not byte for byte what it should be ends the order with an error. It ends
// when its stdin does.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// order is what stdin asks for; which fields count depends on Op.
type order struct {
	// Op is get, download, exec, hold, drop or make.
	Op string `json:"op"`
	// Address is HOST:PORT.
	Address    string `json:"address"`
	ServerName string `json:"server_name"`
	CA         string `json:"ca"`
	Cert       string `json:"cert"`
	Key        string `json:"key"`
	Path       string `json:"path"`
	// Body is what every reply must be.
	Body        string  `json:"body"`
	Connections int     `json:"connections"`
	Seconds     float64 `json:"seconds"`
	// Bytes of a file to make or to download.
	Bytes int64 `json:"bytes"`
}

// result is what came of an order; times are microseconds.
type result struct {
	Event   string  `json:"event"`
	Error   string  `json:"error,omitempty"`
	Count   int     `json:"count"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	held := &heldStreams{}
	answers.Encode(map[string]string{"event": "ready"})
	for lines.Scan() {
		var asked order
		found := result{}
		err := json.Unmarshal(lines.Bytes(), &asked)
		if err == nil {
			found, err = carryOut(asked, held)
		}
		found.Event = asked.Op
		if err != nil {
			found.Error = err.Error()
		}
		answers.Encode(found)
	}
}

func carryOut(asked order, held *heldStreams) (result, error) {
	switch asked.Op {
	case "get":
		return measureGets(asked)
	case "download":
		return measureDownload(asked)
	case "exec":
		return measureEcho(asked)
	case "hold":
		return held.open(asked)
	case "drop":
		return held.drop()
	case "make":
		return result{Bytes: asked.Bytes}, makeFile(asked.Path, asked.Bytes)
	}
	return result{}, fmt.Errorf("unknown op %q", asked.Op)
}

// tlsConfig is the client's side of mutual TLS, http/1.1 only.
func tlsConfig(asked order) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(asked.Cert, asked.Key)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(asked.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in ca")
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: asked.ServerName, NextProtos: []string{"http/1.1"},
	}, nil
}

// summary sorts the times and names their middle and their 99th percentile.
func summary(times []time.Duration, bytes int64, passed time.Duration) result {
	slices.Sort(times)
	at := func(part float64) float64 {
		if len(times) == 0 {
			return 0
		}
		return float64(times[int(part*float64(len(times)-1))].Nanoseconds()) / 1e3
	}
	return result{Count: len(times), Bytes: bytes, Seconds: passed.Seconds(), P50: at(0.5), P99: at(0.99)}
}
