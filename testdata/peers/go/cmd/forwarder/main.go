// SPDX-License-Identifier: Apache-2.0

// Command forwarder is a pod VM's end of the agent path: kata's generated types, containerd/ttrpc and crypto/tls, with
// apf's flags. Like the one of cloud-api-adaptor it decodes and encodes each call again and shares one agent connection
// among its clients, but it is not that project's code.
//
// It ends when its stdin does; with -stay only at SIGTERM, so that it can be started in place of `peerctl apf`.
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
	"strings"
	"time"

	"github.com/containerd/ttrpc"
	pb "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/grpc"

	"peerctl.test/peers/internal/hop"
	"peerctl.test/peers/internal/lines"
)

// agentTimeout bounds all tries to reach the agent, as upstream does; dialPause lies between two.
const agentTimeout, dialPause = 150 * time.Second, 100 * time.Millisecond

// mountTimeout bounds the wait for a mount, as upstream does; mountPause lies between two looks.
const mountTimeout, mountPause = 3 * time.Minute, 50 * time.Millisecond

// targetPathAnnotation lists what a container waits for.
const targetPathAnnotation = "io.confidentialcontainers.org.peerpodvolumes.target_path"

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
	skipVerify, disableTLS, stay bool
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
	flag.BoolVar(&o.stay, "stay", false, "serve until SIGTERM instead of the end of stdin")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "forwarder:", err)
		os.Exit(1)
	}
}

func run(o options) error {
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
	server, err := hop.NewServer(o.dialAgent, hop.Edits{CreateContainer: o.editContainer, CreateSandbox: editSandbox})
	if err != nil {
		return err
	}
	go server.Serve(context.Background(), listener)
	lines.Write(map[string]string{"event": "ready", "address": address})
	wait := lines.Read
	if o.stay {
		wait = lines.Stay
	}
	err = wait(func([]byte) {})
	server.Close()
	return err
}

// dialAgent tries until the agent accepts.
func (o options) dialAgent() (*ttrpc.Client, error) {
	for deadline := time.Now().Add(agentTimeout); ; time.Sleep(dialPause) {
		connection, err := net.Dial("unix", o.agent)
		if err == nil {
			return ttrpc.NewClient(connection), nil
		}
		if time.Now().After(deadline) {
			return nil, err
		}
	}
}

// editSandbox leaves the pod VM its own resolv.conf.
func editSandbox(request *pb.CreateSandboxRequest) { request.Dns = nil }

// editContainer puts the container into the pod's network namespace, has its bind sources exist, and waits for what is
// to be mounted.
func (o options) editContainer(ctx context.Context, request *pb.CreateContainerRequest) error {
	if request.OCI == nil {
		request.OCI = &pb.Spec{}
	}
	if request.OCI.Linux == nil {
		request.OCI.Linux = &pb.Linux{}
	}
	network := &pb.LinuxNamespace{Type: "network", Path: o.netns}
	request.OCI.Linux.Namespaces = append(request.OCI.Linux.Namespaces, network)
	for _, mount := range request.OCI.Mounts {
		if mount.Type == "bind" {
			os.MkdirAll(mount.Source, 0o755)
		}
	}
	for _, path := range strings.Split(request.OCI.Annotations[targetPathAnnotation], ",") {
		if err := waitForMount(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// waitForMount returns when something is mounted at path; none is needed for an empty one.
func waitForMount(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, mountTimeout)
	defer cancel()
	for path != "" {
		mounts, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil || strings.Contains(string(mounts), " "+path+" ") {
			return err
		}
		select {
		case <-time.After(mountPause):
		case <-ctx.Done():
			return ctx.Err()
		}
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
