// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	pb "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/grpc"
)

// checkInterval is that of the kata shim's monitor.
const checkInterval = 5 * time.Second

// handshakes connects to a forwarder with mutual TLS and ends the connection at once, InFlight at a time. A handshake
// counts when the forwarder ends its side in order, too: one that it refuses ends with an alert or a reset.
func handshakes(c command) (answer, error) {
	pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	config := &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: c.ServerName, MinVersion: tls.VersionTLS13,
	}
	all := make([][]time.Duration, c.InFlight)
	failed := make(chan error, c.InFlight)
	var workers sync.WaitGroup
	start := time.Now()
	end := start.Add(time.Duration(c.Seconds * float64(time.Second)))
	for i := range all {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for before := start; before.Before(end); before = time.Now() {
				if err := handshake(c.Address, config); err != nil {
					failed <- err
					return
				}
				all[i] = append(all[i], time.Since(before))
			}
		}()
	}
	workers.Wait()
	elapsed := time.Since(start)
	select {
	case err := <-failed:
		return nil, fmt.Errorf("handshake: %w", err)
	default:
	}
	times := sorted(all)
	return answer{
		"calls": len(times), "seconds": elapsed.Seconds(), "bytes": 0,
		"p50_us": micros(times, 0.50), "p99_us": micros(times, 0.99),
	}, nil
}

func handshake(address string, config *tls.Config) error {
	raw, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer raw.Close()
	connection := tls.Client(raw, config)
	if err := connection.Handshake(); err != nil {
		return err
	}
	if err := connection.CloseWrite(); err != nil {
		return err
	}
	raw.(*net.TCPConn).CloseWrite()
	if _, err := io.Copy(io.Discard, connection); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return nil
}

// open opens one connection for each socket and sees that the agent behind it answers.
func (l *load) open(c command) error {
	for _, socket := range c.Sockets {
		connection, err := net.Dial("unix", socket)
		if err != nil {
			return err
		}
		client := pb.NewHealthClient(ttrpc.NewClient(connection))
		if err := check(client); err != nil {
			return err
		}
		l.idle = append(l.idle, client)
	}
	return nil
}

func check(client pb.HealthService) error {
	reply, err := client.Check(context.Background(), &pb.CheckRequest{})
	if err == nil && reply.Status != pb.HealthCheckResponse_SERVING {
		err = fmt.Errorf("the agent says %v", reply.Status)
	}
	return err
}

// checkAll checks the agents behind all connections at the shim's interval, spread evenly.
func (l *load) checkAll(c command) (answer, error) {
	clients := l.idle
	all := make([][]time.Duration, len(clients))
	failed := make(chan error, len(clients))
	var workers sync.WaitGroup
	end := time.Now().Add(time.Duration(c.Seconds * float64(time.Second)))
	for i, client := range clients {
		workers.Add(1)
		go func() {
			defer workers.Done()
			time.Sleep(checkInterval * time.Duration(i) / time.Duration(len(clients)))
			for time.Now().Before(end) {
				before := time.Now()
				if err := check(client); err != nil {
					failed <- err
					return
				}
				all[i] = append(all[i], time.Since(before))
				time.Sleep(checkInterval)
			}
		}()
	}
	workers.Wait()
	select {
	case err := <-failed:
		return nil, fmt.Errorf("check: %w", err)
	default:
	}
	times := sorted(all)
	return answer{
		"calls": len(times), "seconds": c.Seconds, "bytes": 0,
		"p50_us": micros(times, 0.50), "p99_us": micros(times, 0.99),
	}, nil
}
