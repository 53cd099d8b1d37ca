// SPDX-License-Identifier: Apache-2.0

// Command forwarder is a pod VM's end of the agent path on containerd/ttrpc and crypto/tls, with apf's flags. Like the
// one of cloud-api-adaptor it shares one agent connection among its clients, but it is not that project's code.
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

	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/types/dynamicpb"

	"peerctl.test/peers/internal/lines"
	"peerctl.test/peers/internal/relay"
	"peerctl.test/peers/internal/schema"
)

// config is the part of apf.json that is read here.
type config struct {
	ServerKey  string `json:"tls-server-key"`
	ServerCert string `json:"tls-server-cert"`
	ClientCA   string `json:"tls-client-ca"`
	MinVersion string `json:"tls-min-version"`
}

type options struct {
	config, listen, agent, netns string
	caFile, certFile, keyFile    string
	skipVerify, disableTLS       bool
}

func main() {
	var o options
	flag.StringVar(&o.config, "config", "/run/peerpod/apf.json", "configuration file")
	flag.StringVar(&o.listen, "listen", "0.0.0.0:15150", "address to listen on")
	flag.StringVar(&o.agent, "kata-agent-socket", "/run/kata-containers/agent.sock", "agent socket")
	flag.StringVar(&o.netns, "pod-namespace", "/run/netns/podns", "network namespace path of containers")
	flag.StringVar(&o.caFile, "ca-cert-file", "", "client CA")
	flag.StringVar(&o.certFile, "cert-file", "", "server certificate")
	flag.StringVar(&o.keyFile, "cert-key", "", "server key")
	flag.BoolVar(&o.skipVerify, "tls-skip-verify", false, "accept clients without a certificate")
	flag.BoolVar(&o.disableTLS, "disable-tls", false, "plain TCP")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "forwarder:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	s, err := schema.Load()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	if !o.disableTLS {
		tlsConfig, err := o.tlsConfig()
		if err != nil {
			return err
		}
		listener = tls.NewListener(listener, tlsConfig)
	}
	server, err := ttrpc.NewServer()
	if err != nil {
		return err
	}
	relay.Register(server, s, shared(o.agent), o.edit)
	go server.Serve(context.Background(), listener)
	lines.Write(map[string]string{"event": "ready", "address": address})
	err = lines.Read(func([]byte) {})
	server.Close()
	return err
}

// shared dials the agent at the first call and keeps that one connection for everyone.
func shared(socket string) func(context.Context) (*ttrpc.Client, error) {
	dial := sync.OnceValues(func() (*ttrpc.Client, error) {
		connection, err := net.Dial("unix", socket)
		if err != nil {
			return nil, err
		}
		return ttrpc.NewClient(connection), nil
	})
	return func(context.Context) (*ttrpc.Client, error) { return dial() }
}

// edit is what a pod VM changes: its network namespace is the container's, bind sources exist, its DNS stays.
func (o options) edit(_ context.Context, method string, request *dynamicpb.Message) error {
	switch method {
	case "CreateSandbox":
		schema.Clear(request, "dns")
	case "CreateContainer":
		oci := schema.Mutable(request, "OCI").Message()
		mounts := schema.Field(oci, "Mounts").List()
		for i := 0; i < mounts.Len(); i++ {
			if mount := mounts.Get(i).Message(); schema.String(mount, "type") == "bind" {
				os.MkdirAll(schema.String(mount, "source"), 0o755)
			}
		}
		namespaces := schema.Mutable(schema.Mutable(oci, "Linux").Message(), "Namespaces").List()
		network := namespaces.AppendMutable().Message()
		schema.Set(network, "Type", "network")
		schema.Set(network, "Path", o.netns)
	}
	return nil
}

func (o options) tlsConfig() (*tls.Config, error) {
	var c config
	text, err := os.ReadFile(o.config)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		return nil, err
	}
	for _, file := range []struct {
		path  string
		value *string
	}{{o.caFile, &c.ClientCA}, {o.certFile, &c.ServerCert}, {o.keyFile, &c.ServerKey}} {
		if file.path == "" {
			continue
		}
		content, err := os.ReadFile(file.path)
		if err != nil {
			return nil, err
		}
		*file.value = string(content)
	}
	pair, err := tls.X509KeyPair([]byte(c.ServerCert), []byte(c.ServerKey))
	if err != nil {
		return nil, err
	}
	result := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if c.MinVersion == "VersionTLS13" {
		result.MinVersion = tls.VersionTLS13
	}
	if o.skipVerify {
		return result, nil
	}
	result.ClientCAs = x509.NewCertPool()
	if !result.ClientCAs.AppendCertsFromPEM([]byte(c.ClientCA)) {
		return nil, errors.New("no client CA")
	}
	result.ClientAuth = tls.RequireAndVerifyClientCert
	return result, nil
}
