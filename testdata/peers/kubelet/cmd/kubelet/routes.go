// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"

	restful "github.com/emicklei/go-restful/v3"
	"k8s.io/apimachinery/pkg/util/httpstream/wsstream"
	"k8s.io/apimachinery/pkg/util/proxy"
	translate "k8s.io/apiserver/pkg/util/proxy"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/kubelet/pkg/cri/streaming"
	"k8s.io/kubelet/pkg/cri/streaming/portforward"
	"k8s.io/kubelet/pkg/cri/streaming/remotecommand"
)

// kubelet holds what its routes need.
type kubelet struct {
	streams streaming.Server
	log     *containerLog
}

// routes is the kubelet's route table (k8s.io/kubernetes pkg/kubelet/server/server.go, 1.35), of which only what a
// test needs has an answer.
func routes(streams streaming.Server, log *containerLog, logsDir string) http.Handler {
	k := &kubelet{streams: streams, log: log}
	container := restful.NewContainer()
	add := func(root string, methods []string, to restful.RouteFunction, paths ...string) {
		service := new(restful.WebService).Path(root)
		for _, path := range paths {
			for _, method := range methods {
				service.Route(service.Method(method).Path(path).To(to))
			}
		}
		container.Add(service)
	}
	both, get, post := []string{"GET", "POST"}, []string{"GET"}, []string{"POST"}
	const pod, podUID = "/{podNamespace}/{podID}", "/{podNamespace}/{podID}/{uid}"
	add("/exec", both, k.exec, pod+"/{containerName}", podUID+"/{containerName}")
	add("/attach", both, k.attach, pod+"/{containerName}", podUID+"/{containerName}")
	add("/portForward", both, k.portForward, pod, podUID)
	add("/run", post, k.run, pod+"/{containerName}", podUID+"/{containerName}")
	add("/containerLogs", get, k.containerLogs, pod+"/{containerName}")
	add("/checkpoint", post, text("application/json", `{"items":["checkpoint.tar"]}`), pod+"/{containerName}")
	add("/pods", get, text("application/json", `{"kind":"PodList","apiVersion":"v1","items":[]}`), "")
	add("/runningpods", get, text("application/json", `{"kind":"PodList","apiVersion":"v1","items":[]}`), "")
	add("/stats", get, text("application/json", `{"node":{"nodeName":"stand-in"}}`), "/summary")
	add("/configz", get, text("application/json", `{}`), "")
	add("/metrics", get, text("text/plain", "up 1\n"), "", "/cadvisor", "/probes", "/resource")
	container.Handle("/healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	if logsDir != "" {
		container.Handle("/logs/", http.StripPrefix("/logs/", http.FileServer(http.Dir(logsDir))))
	}
	return container
}

func text(kind, body string) restful.RouteFunction {
	return func(_ *restful.Request, w *restful.Response) {
		w.Header().Set("Content-Type", kind)
		fmt.Fprint(w, body)
	}
}

func containerID(r *restful.Request) string {
	return r.PathParameter("podNamespace") + "/" + r.PathParameter("podID") + "/" + r.PathParameter("containerName")
}

func (k *kubelet) exec(r *restful.Request, w *restful.Response) {
	options, err := remotecommand.NewOptions(r.Request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := k.streams.GetExec(&runtimeapi.ExecRequest{
		ContainerId: containerID(r), Cmd: r.Request.URL.Query()["command"],
		Stdin: options.Stdin, Stdout: options.Stdout, Stderr: options.Stderr, Tty: options.TTY,
	})
	if err != nil {
		streaming.WriteError(err, w.ResponseWriter)
		return
	}
	stream(w, r, answer.Url, options)
}

func (k *kubelet) attach(r *restful.Request, w *restful.Response) {
	options, err := remotecommand.NewOptions(r.Request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := k.streams.GetAttach(&runtimeapi.AttachRequest{
		ContainerId: containerID(r), Stdin: options.Stdin, Stdout: options.Stdout, Stderr: options.Stderr, Tty: options.TTY,
	})
	if err != nil {
		streaming.WriteError(err, w.ResponseWriter)
		return
	}
	stream(w, r, answer.Url, options)
}

func (k *kubelet) portForward(r *restful.Request, w *restful.Response) {
	var ports []int32
	// A tunnelled SPDY connection names its ports inside, as plain SPDY does.
	if !wsstream.IsWebSocketRequestWithTunnelingProtocol(r.Request) {
		options, err := portforward.NewV4Options(r.Request)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ports = options.Ports
	}
	answer, err := k.streams.GetPortForward(&runtimeapi.PortForwardRequest{PodSandboxId: containerID(r), Port: ports})
	if err != nil {
		streaming.WriteError(err, w.ResponseWriter)
		return
	}
	stream(w, r, answer.Url, nil)
}

// stream passes an upgrade on to the streaming server; websockets of the newer protocols are translated to SPDY, which
// is what a container runtime understands.
func stream(w *restful.Response, r *restful.Request, target string, options *remotecommand.Options) {
	location, err := url.Parse(target)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	upgrade := proxy.NewUpgradeAwareHandler(location, nil, false, true, refusal{})
	var handler http.Handler = upgrade
	if options == nil {
		handler = translate.NewTranslatingHandler(
			upgrade, translate.NewTunnelingHandler(upgrade), wsstream.IsWebSocketRequestWithTunnelingProtocol)
	} else {
		streams := translate.Options{
			Stdin: options.Stdin, Stdout: options.Stdout, Stderr: options.Stderr, Tty: options.TTY,
		}
		handler = translate.NewTranslatingHandler(
			upgrade, translate.NewStreamTranslatorHandler(location, nil, 0, streams),
			wsstream.IsWebSocketRequestWithStreamCloseProtocol)
	}
	handler.ServeHTTP(w.ResponseWriter, r.Request)
}

type refusal struct{}

func (refusal) Error(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, err.Error(), http.StatusInternalServerError)
}

func (k *kubelet) run(r *restful.Request, w *restful.Response) {
	words := strings.Split(r.QueryParameter("cmd"), " ")
	output, err := exec.CommandContext(r.Request.Context(), words[0], words[1:]...).CombinedOutput()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Write(output)
}

func (k *kubelet) containerLogs(r *restful.Request, w *restful.Response) {
	k.log.copyTo(r.Request.Context(), w, w.Flush, r.QueryParameter("follow") == "true")
}
