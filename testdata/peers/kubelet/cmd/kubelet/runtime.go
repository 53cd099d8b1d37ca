// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"

	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/kubelet/pkg/cri/streaming"
	utilexec "k8s.io/utils/exec"
)

// machine is a container runtime whose one container is this machine.
type machine struct{}

// startStreams serves the streaming package on loopback, as a container runtime does.
func startStreams() (streaming.Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	config := streaming.DefaultConfig
	config.Addr = listener.Addr().String()
	config.BaseURL = &url.URL{Scheme: "http", Host: config.Addr}
	server, err := streaming.NewServer(config, machine{})
	if err != nil {
		return nil, err
	}
	go func() { panic(http.Serve(listener, server)) }()
	return server, nil
}

func (machine) Exec(
	ctx context.Context, _ string, cmd []string, in io.Reader, out, errOut io.WriteCloser, _ bool,
	_ <-chan remotecommand.TerminalSize,
) error {
	program := exec.CommandContext(ctx, cmd[0], cmd[1:]...)
	program.Stdout, program.Stderr = out, errOut
	// With Stdin set, Wait would also wait for a client that never closes its end.
	stdin, err := program.StdinPipe()
	if err != nil {
		return err
	}
	if err := program.Start(); err != nil {
		return err
	}
	go func() {
		if in != nil {
			io.Copy(stdin, in)
		}
		stdin.Close()
	}()
	err = program.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return utilexec.CodeExitError{Err: err, Code: exit.ExitCode()}
	}
	return err
}

// Attach gives back what it is sent, until its stdin ends.
func (machine) Attach(
	_ context.Context, _ string, in io.Reader, out, _ io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize,
) error {
	if _, err := fmt.Fprintln(out, "attached"); err != nil || in == nil {
		return err
	}
	_, err := io.Copy(out, in)
	return err
}

// PortForward connects with a port of this machine.
func (machine) PortForward(ctx context.Context, _ string, port int32, stream io.ReadWriteCloser) error {
	var dialer net.Dialer
	target, err := dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer target.Close()
	go func() {
		io.Copy(target, stream)
		target.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(stream, target)
	return err
}
