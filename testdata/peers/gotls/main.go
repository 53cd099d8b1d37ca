// SPDX-License-Identifier: Apache-2.0

// Program gotls is one end of mutual TLS on Go's crypto/tls, for tests: an echo server or a client that says hello.
//
// It prints one JSON object per line: {"event":"listening","address":…}, {"event":"accepted","subject":…,"version":…},
// {"event":"refused","error":…} from the server; {"event":"answered",…} or {"event":"failed","error":…} from the client.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Longest time for one connection of a test.
const timeout = 10 * time.Second

var versions = map[string]uint16{"": 0, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

var printing sync.Mutex

func report(fields map[string]any) {
	printing.Lock()
	defer printing.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(fields); err != nil {
		os.Exit(1)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotls:", err)
		os.Exit(1)
	}
	return value
}

func main() {
	caFile := flag.String("ca", "", "CA certificate")
	certFile := flag.String("cert", "", "certificate; none if empty")
	keyFile := flag.String("key", "", "private key")
	listen := flag.String("listen", "", "serve at this address until stdin ends")
	dial := flag.String("dial", "", "connect to this address")
	name := flag.String("name", "podvm-server", "name to expect of the server")
	maxVersion := flag.String("max", "", "highest TLS version: 1.1, 1.2 or 1.3")
	flag.Parse()

	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(must(os.ReadFile(*caFile))) {
		must(0, fmt.Errorf("no certificate in %s", *caFile))
	}
	config := &tls.Config{
		RootCAs:    pool,
		ClientCAs:  pool,
		ClientAuth: tls.RequireAndVerifyClientCert,
		ServerName: *name,
		MaxVersion: versions[*maxVersion],
	}
	if *maxVersion == "1.1" {
		config.MinVersion = tls.VersionTLS10
	}
	if *certFile != "" {
		config.Certificates = []tls.Certificate{must(tls.LoadX509KeyPair(*certFile, *keyFile))}
	}
	if *listen != "" {
		serve(config, *listen)
		return
	}
	call(config, *dial)
}

func serve(config *tls.Config, address string) {
	listener := must(net.Listen("tcp", address))
	report(map[string]any{"event": "listening", "address": listener.Addr().String()})
	go func() {
		for {
			raw, err := listener.Accept()
			if err != nil {
				return
			}
			go echo(tls.Server(raw, config))
		}
	}()
	_, _ = io.Copy(io.Discard, bufio.NewReader(os.Stdin))
	_ = listener.Close()
}

func echo(conn *tls.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(timeout))
	if err := conn.Handshake(); err != nil {
		report(map[string]any{"event": "refused", "error": err.Error()})
		return
	}
	report(describe("accepted", conn))
	_, _ = io.Copy(conn, conn)
}

func call(config *tls.Config, address string) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: timeout}, "tcp", address, config)
	if err == nil {
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(timeout))
		_, err = conn.Write([]byte("hello\n")) // a server may answer by lines
	}
	answer := make([]byte, len("hello"))
	if err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	if err != nil {
		report(map[string]any{"event": "failed", "error": err.Error()})
		return
	}
	fields := describe("answered", conn)
	fields["answer"] = string(answer)
	report(fields)
}

func describe(event string, conn *tls.Conn) map[string]any {
	state := conn.ConnectionState()
	return map[string]any{
		"event":   event,
		"subject": state.PeerCertificates[0].Subject.String(),
		"version": fmt.Sprintf("%x", state.Version),
		"suite":   tls.CipherSuiteName(state.CipherSuite),
	}
}
