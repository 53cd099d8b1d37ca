// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"

	"github.com/open-policy-agent/opa/v1/rego"
)

// proxyFiles are read again for each request: that is what this proxy is here to show.
type proxyFiles struct {
	cert, key, ca, clientCert, clientKey, policy string
}

// serveProxy is a reverse proxy of the standard library in front of a kubelet, made as simply as one can: for each
// request it reads its certificates, connects anew and compiles the policy. It prints {"event":"ready","address":…} and
// ends when its stdin does.
func serveProxy(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("proxy", flag.ContinueOnError)
	var files proxyFiles
	flags.StringVar(&files.cert, "cert", "", "serving certificate (PEM)")
	flags.StringVar(&files.key, "key", "", "key of -cert (PEM)")
	flags.StringVar(&files.ca, "ca", "", "CA of clients and of the kubelet (PEM)")
	flags.StringVar(&files.clientCert, "client-cert", "", "certificate to show to the kubelet (PEM)")
	flags.StringVar(&files.clientKey, "client-key", "", "key of -client-cert (PEM)")
	flags.StringVar(&files.policy, "rego-path", "", "policy; data.kubelet.policy.deny denies")
	kubelet := flags.String("kubelet-url", "", "https://HOST:PORT")
	if err := flags.Parse(args); err != nil {
		return err
	}
	target, err := url.Parse(*kubelet)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	clients, err := files.pool()
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: files.proxyTo(target),
		TLSConfig: &tls.Config{
			ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
		},
	}
	if err := json.NewEncoder(out).Encode(map[string]string{"event": "ready", "address": listener.Addr().String()}); err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, in)
		os.Exit(0)
	}()
	return server.ServeTLS(listener, files.cert, files.key)
}

func (f *proxyFiles) pool() (*x509.CertPool, error) {
	pem, err := os.ReadFile(f.ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in -ca")
	}
	return pool, nil
}

func (f *proxyFiles) proxyTo(target *url.URL) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isDenied, err := f.isDenied(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if isDenied {
			http.Error(w, "Denied by policy", http.StatusForbidden)
			return
		}
		roots, err := f.pool()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		pair, err := tls.LoadX509KeyPair(f.clientCert, f.clientKey)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		proxy := httputil.NewSingleHostReverseProxy(target)
		transport := &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}},
		}
		defer transport.CloseIdleConnections()
		proxy.Transport = transport
		proxy.ServeHTTP(w, r)
	})
}

func (f *proxyFiles) isDenied(r *http.Request) (bool, error) {
	text, err := os.ReadFile(f.policy)
	if err != nil {
		return false, err
	}
	query := rego.New(
		rego.Query("data.kubelet.policy.deny"),
		rego.Module(f.policy, string(text)),
		rego.Input(map[string]any{"method": r.Method, "path": r.URL.Path}),
	)
	results, err := query.Eval(context.Background())
	if err != nil {
		return false, err
	}
	for _, result := range results {
		switch value := result.Expressions[0].Value.(type) {
		case bool:
			return value, nil
		case []any:
			return len(value) > 0, nil
		default:
			return false, fmt.Errorf("deny is a %T", value)
		}
	}
	return false, nil
}
