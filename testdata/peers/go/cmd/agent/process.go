// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// chunkBytes is how much a pipe is read at once, in bytes.
const chunkBytes = 32 << 10

// output hands a pipe's bytes to one reader at a time; a reader that goes away takes none with it.
type output struct {
	chunks chan []byte
	turn   chan struct{}
	rest   []byte
}

func newOutput(pipe io.Reader, done *sync.WaitGroup) *output {
	o := &output{chunks: make(chan []byte), turn: make(chan struct{}, 1)}
	done.Add(1)
	go func() {
		defer close(o.chunks)
		defer done.Done()
		for {
			buffer := make([]byte, chunkBytes)
			n, err := pipe.Read(buffer)
			if n > 0 {
				o.chunks <- buffer[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	return o
}

// read waits for at most limit bytes; none and no error means the end.
func (o *output) read(ctx context.Context, limit int) ([]byte, error) {
	select {
	case o.turn <- struct{}{}:
		defer func() { <-o.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if len(o.rest) == 0 {
		select {
		case o.rest = <-o.chunks:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	n := min(limit, len(o.rest))
	data := o.rest[:n]
	o.rest = o.rest[n:]
	return data, nil
}

// process is one program of a container.
type process struct {
	command        *exec.Cmd
	stdin          io.WriteCloser
	stdout, stderr *output
	exited         chan struct{}
	code           int32
}

func startProcess(args, env []string, cwd string) (*process, error) {
	if len(args) == 0 {
		return nil, status.Error(codes.InvalidArgument, "the process has no args")
	}
	if cwd == "" {
		cwd = "/"
	}
	p := &process{command: exec.Command(args[0], args[1:]...), exited: make(chan struct{})}
	p.command.Env, p.command.Dir = append(os.Environ(), env...), cwd
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stdin, err := p.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	// Pipes of our own: those of exec.Cmd are closed by Wait, with unread output lost.
	stdoutRead, stdoutWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	stderrRead, stderrWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.stdin, p.command.Stdout, p.command.Stderr = stdin, stdoutWrite, stderrWrite
	err = p.command.Start()
	stdoutWrite.Close()
	stderrWrite.Close()
	if err != nil {
		return nil, status.Errorf(codes.Internal, "cannot start the process: %v", err)
	}
	var pumps sync.WaitGroup
	p.stdout, p.stderr = newOutput(stdoutRead, &pumps), newOutput(stderrRead, &pumps)
	go func() { pumps.Wait(); stdoutRead.Close(); stderrRead.Close() }()
	go func() {
		p.code = exitCode(p.command.Wait())
		close(p.exited)
	}()
	return p, nil
}

func (p *process) wait(ctx context.Context) (int32, error) {
	select {
	case <-p.exited:
		return p.code, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// signal reaches the whole process group.
func (p *process) signal(number syscall.Signal) {
	syscall.Kill(-p.command.Process.Pid, number)
}

func exitCode(err error) int32 {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0
	}
	if state := exit.Sys().(syscall.WaitStatus); state.Signaled() {
		return 128 + int32(state.Signal())
	}
	return int32(exit.ExitCode())
}
