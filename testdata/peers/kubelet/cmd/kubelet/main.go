// SPDX-License-Identifier: Apache-2.0

// Command kubelet is a stand-in for a kubelet: the kubelet's routes, behind mutual TLS. exec, attach and portForward
// are served by the kubelet's own streaming package, as a container runtime does; exec really runs programs of this
// machine.
//
// It prints one JSON object a line: {"event":"ready",…} when it listens, then {"event":"request",…} for each request
// that reached it. {"op":"log","text":…} on its stdin is a line of the container log; it ends when its stdin does.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to serve on")
	cert := flag.String("cert", "", "serving certificate (PEM)")
	key := flag.String("key", "", "key of -cert (PEM)")
	clientCA := flag.String("client-ca", "", "CA of clients (PEM)")
	logsDir := flag.String("logs-dir", "", "folder served under /logs/")
	quiet := flag.Bool("quiet", false, "print no requests")
	flag.Parse()
	if err := run(*listen, *cert, *key, *clientCA, *logsDir, *quiet); err != nil {
		log.Fatal("kubelet stand-in: ", err)
	}
}

func run(listen, cert, key, clientCA, logsDir string, quiet bool) error {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(clientCA)
	if err != nil {
		return err
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(pem) {
		return errors.New("no certificate in -client-ca")
	}
	streams, err := startStreams()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	events := &events{quiet: quiet}
	containerLog := newContainerLog()
	server := &http.Server{
		Handler: events.record(routes(streams, containerLog, logsDir)),
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{pair},
			ClientCAs:    clients,
			ClientAuth:   tls.RequireAndVerifyClientCert,
			NextProtos:   []string{"h2", "http/1.1"},
			MinVersion:   tls.VersionTLS12,
		},
	}
	events.print(map[string]any{"event": "ready", "address": listener.Addr().String()})
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			var order struct{ Op, Text string }
			if err := json.Unmarshal(lines.Bytes(), &order); err != nil || order.Op != "log" {
				log.Fatalf("kubelet stand-in: unknown order %q", lines.Text())
			}
			containerLog.append(order.Text + "\n")
		}
		os.Exit(0)
	}()
	return server.ServeTLS(listener, "", "")
}

// events prints what happens, a JSON object a line.
type events struct {
	quiet bool
	mu    sync.Mutex
}

func (e *events) print(event map[string]any) {
	line, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	fmt.Println(string(line))
}

// record prints each request as it came, before it is answered.
func (e *events) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !e.quiet {
			e.print(map[string]any{
				"event":   "request",
				"method":  r.Method,
				"target":  r.RequestURI,
				"proto":   r.Proto,
				"headers": r.Header,
				"user":    r.TLS.PeerCertificates[0].Subject.CommonName,
			})
		}
		next.ServeHTTP(w, r)
	})
}
