// SPDX-License-Identifier: Apache-2.0

// Command client speaks to a kubelet, or to what stands in front of it, as kubectl and kube-apiserver do: exec and
// attach by client-go's remotecommand, port-forward by its portforward, everything else by its REST client.
//
//	client [flags] exec PATH -- COMMAND…     PATH as in /exec/default/web/app
//	client [flags] attach PATH
//	client [flags] portforward PATH PORT     prints {"port":N}, forwards until its stdin ends
//	client [flags] get PATH                  the body as it comes
//
// Its stdin, stdout, stderr and exit code are those of the command; 125 is an error of its own, on stderr.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	utilexec "k8s.io/client-go/util/exec"
)

// ownError is the exit code for what is not the remote command's.
const ownError = 125

type options struct {
	config   *rest.Config
	base     *url.URL
	protocol string
	stdin    bool
}

func main() {
	address := flag.String("url", "", "base URL, https://HOST:PORT")
	ca := flag.String("ca", "", "CA of the server (PEM)")
	cert := flag.String("cert", "", "client certificate (PEM)")
	key := flag.String("key", "", "key of -cert (PEM)")
	serverName := flag.String("server-name", "", "name expected in the server's certificate")
	protocol := flag.String("protocol", "spdy", "spdy or websocket")
	stdin := flag.Bool("stdin", false, "pass stdin on")
	flag.Parse()
	base, err := url.Parse(*address)
	if err != nil || flag.NArg() < 2 {
		flag.Usage()
		os.Exit(ownError)
	}
	o := &options{
		config: &rest.Config{
			Host:            *address,
			TLSClientConfig: rest.TLSClientConfig{CAFile: *ca, CertFile: *cert, KeyFile: *key, ServerName: *serverName},
		},
		base:     base,
		protocol: *protocol,
		stdin:    *stdin,
	}
	err = o.run(flag.Arg(0), flag.Arg(1), flag.Args()[2:])
	var exit utilexec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		os.Exit(exit.ExitStatus())
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(ownError)
	}
}

func (o *options) run(verb, path string, rest []string) error {
	switch verb {
	case "exec":
		if len(rest) > 0 && rest[0] == "--" {
			rest = rest[1:]
		}
		return o.remoteCommand(path, url.Values{"command": rest})
	case "attach":
		return o.remoteCommand(path, url.Values{})
	case "portforward":
		if len(rest) != 1 {
			return errors.New("portforward needs a port")
		}
		return o.portForward(path, rest[0])
	case "get":
		return o.get(path)
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func (o *options) remoteCommand(path string, query url.Values) error {
	// What kube-apiserver sends to a kubelet (k8s.io/kubernetes pkg/registry/core/pod/strategy.go).
	query.Set("output", "1")
	query.Set("error", "1")
	streams := remotecommand.StreamOptions{Stdout: os.Stdout, Stderr: os.Stderr}
	if o.stdin {
		query.Set("input", "1")
		streams.Stdin = os.Stdin
	}
	target := o.base.JoinPath(path)
	target.RawQuery = query.Encode()
	var executor remotecommand.Executor
	var err error
	if o.protocol == "websocket" {
		executor, err = remotecommand.NewWebSocketExecutor(o.config, http.MethodGet, target.String())
	} else {
		executor, err = remotecommand.NewSPDYExecutor(o.config, http.MethodPost, target)
	}
	if err != nil {
		return err
	}
	return executor.StreamWithContext(context.Background(), streams)
}

func (o *options) portForward(path, port string) error {
	target := o.base.JoinPath(path)
	roundTripper, upgrader, err := spdy.RoundTripperFor(o.config)
	if err != nil {
		return err
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: roundTripper}, http.MethodPost, target)
	if o.protocol == "websocket" {
		if dialer, err = portforward.NewSPDYOverWebsocketDialer(target, o.config); err != nil {
			return err
		}
	}
	stop, ready := make(chan struct{}), make(chan struct{})
	forwarder, err := portforward.New(dialer, []string{"0:" + port}, stop, ready, io.Discard, os.Stderr)
	if err != nil {
		return err
	}
	go func() {
		<-ready
		if ports, err := forwarder.GetPorts(); err == nil {
			fmt.Printf("{\"port\":%d}\n", ports[0].Local)
		}
		io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	return forwarder.ForwardPorts()
}

func (o *options) get(path string) error {
	config := rest.CopyConfig(o.config)
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		return err
	}
	body, err := client.Get().RequestURI(path).Stream(context.Background())
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(os.Stdout, body)
	return err
}
