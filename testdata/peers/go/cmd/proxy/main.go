// SPDX-License-Identifier: Apache-2.0

// Command proxy is a worker node's end of the agent path: kata's generated types, containerd/ttrpc and crypto/tls. It
// dials the forwarder that a line {"address":"host:port"} on stdin names, over mutual TLS, and serves a unix socket: that
// of -socket, or of "socket" in the line, so that one process can hold many sandboxes. Like the one of cloud-api-adaptor
// it decodes and encodes each call again and shares one connection to the forwarder among its clients, but it is not
// that project's code.
//
// With -cert-file, -cert-key and -ca-cert-file it uses those; without them it makes its own and writes what the
// forwarder's apf.json needs as a line {"event":"certificates","apf":{…}}.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	pb "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/grpc"

	"peerctl.test/peers/internal/hop"
	"peerctl.test/peers/internal/lines"
)

// dialPause lies between two tries to reach the forwarder.
const dialPause = 100 * time.Millisecond

// A pod with this annotation has GPUs, even if it says "0"; the agent injects what the other one names.
const gpuAnnotation, cdiAnnotation = "io.katacontainers.config.hypervisor.default_gpus", "cdi.k8s.io/peer-pods"

type options struct {
	socket, serverName        string
	caFile, certFile, keyFile string
	disableTLS                bool
	timeout                   time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.socket, "socket", "", "agent socket to serve")
	flag.StringVar(&o.serverName, "server-name", "podvm-server", "name that the forwarder's certificate must have")
	flag.StringVar(&o.caFile, "ca-cert-file", "", "CA of the forwarder; without it certificates are made here")
	flag.StringVar(&o.certFile, "cert-file", "", "client certificate")
	flag.StringVar(&o.keyFile, "cert-key", "", "client key")
	flag.BoolVar(&o.disableTLS, "disable-tls", false, "plain TCP")
	flag.DurationVar(&o.timeout, "proxy-timeout", time.Minute, "how long to try to reach the forwarder")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "proxy:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	dial, err := o.dialer()
	if err != nil {
		return err
	}
	// The end of stdin also ends the wait for a forwarder.
	ended, end := context.WithCancel(context.Background())
	failed := make(chan error, 1)
	var serving sync.WaitGroup
	go func() {
		defer end()
		lines.Read(func(line []byte) {
			command := struct{ Address, Socket string }{Socket: o.socket}
			if json.Unmarshal(line, &command) != nil || command.Address == "" {
				return
			}
			serving.Add(1)
			go func() {
				defer serving.Done()
				if err := o.serve(ended, dial, command.Address, command.Socket); err != nil && ended.Err() == nil {
					select {
					case failed <- err:
					default:
					}
				}
			}()
		})
	}()
	select {
	case err = <-failed:
	case <-ended.Done():
	}
	end()
	serving.Wait()
	return err
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// serve is the agent path of one sandbox, until the context ends.
func (o options) serve(ended context.Context, dial dialFunc, address, socket string) error {
	ctx, cancel := context.WithTimeout(ended, o.timeout)
	defer cancel()
	connection, err := retry(ctx, func(ctx context.Context) (net.Conn, error) { return dial(ctx, "tcp", address) })
	if err != nil {
		return err
	}
	client := ttrpc.NewClient(connection)
	defer client.Close()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	defer os.Remove(socket)
	server, err := hop.NewServer(
		func() (*ttrpc.Client, error) { return client, nil },
		hop.Edits{CreateContainer: editContainer},
	)
	if err != nil {
		return err
	}
	go server.Serve(context.Background(), listener)
	lines.Write(map[string]string{"event": "ready", "socket": socket})
	<-ended.Done()
	return server.Close()
}

// editContainer asks for the GPUs of a pod that has some.
func editContainer(_ context.Context, request *pb.CreateContainerRequest) error {
	if request.OCI.GetAnnotations()[gpuAnnotation] != "" {
		request.OCI.Annotations[cdiAnnotation] = "nvidia.com/gpu=all"
	}
	return nil
}

// retry dials until it works, the context ends, or a certificate is refused.
func retry(ctx context.Context, dial func(context.Context) (net.Conn, error)) (net.Conn, error) {
	for {
		connection, err := dial(ctx)
		var refused *tls.CertificateVerificationError
		if err == nil || errors.As(err, &refused) {
			return connection, err
		}
		select {
		case <-time.After(dialPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (o options) dialer() (dialFunc, error) {
	if o.disableTLS {
		return new(net.Dialer).DialContext, nil
	}
	var pair tls.Certificate
	roots := x509.NewCertPool()
	if o.caFile == "" && o.certFile == "" && o.keyFile == "" {
		made, err := makeCertificates(o.serverName)
		if err != nil {
			return nil, err
		}
		lines.Write(map[string]any{"event": "certificates", "apf": made.apf})
		pair = made.client
		roots.AddCert(made.ca)
	} else {
		var err error
		if pair, err = tls.LoadX509KeyPair(o.certFile, o.keyFile); err != nil {
			return nil, err
		}
		ca, err := os.ReadFile(o.caFile)
		if err != nil {
			return nil, err
		}
		if !roots.AppendCertsFromPEM(ca) {
			return nil, errors.New("no certificate in -ca-cert-file")
		}
	}
	dialer := &tls.Dialer{Config: &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: o.serverName, MinVersion: tls.VersionTLS12,
	}}
	return dialer.DialContext, nil
}
