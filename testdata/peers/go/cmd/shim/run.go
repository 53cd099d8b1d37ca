// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"peerctl.test/peers/internal/lines"
)

// stepTimeout bounds each step of runOnce; StartVM, which waits for a VM, is the longest.
const stepTimeout = 10 * time.Minute

// runOnce makes the calls of one pod, from CreateVM to StopVM; StopVM is sent also after a failure.
func (s *shim) runOnce(id string) (err error) {
	const hypervisor, agent = "hypervisor.Hypervisor", "grpc.AgentService"
	step := func(service, method string, request any, result any) error {
		encoded, err := json.Marshal(request)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), stepTimeout)
		defer cancel()
		answer, err := s.call(ctx, service, method, encoded)
		lines.Write(map[string]any{"step": method, "ok": err == nil})
		if err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(answer, result)
	}
	type fields map[string]any

	var created struct {
		Path string `json:"agentSocketPath"`
	}
	if err := step(hypervisor, "CreateVM", fields{"id": id, "networkNamespacePath": "", "annotations": annotations}, &created); err != nil {
		return err
	}
	defer func() {
		if stopErr := step(hypervisor, "StopVM", fields{"id": id}, nil); err == nil {
			err = stopErr
		}
	}()
	if err := step(hypervisor, "StartVM", fields{"id": id}, nil); err != nil {
		return err
	}
	if err := s.connect(created.Path, checkTimeout); err != nil {
		return err
	}
	defer s.disconnect()
	container := fields{"container_id": "c1"}
	spec := fields{
		"Process":     fields{"Args": []string{"/bin/sh", "-c", "echo hello; exit 7"}, "Cwd": "/"},
		"Annotations": fields{},
		"Linux":       fields{"Namespaces": []fields{{"Type": "ipc"}}},
	}
	var output struct {
		Data string `json:"data"`
	}
	var exit struct {
		Status int `json:"status"`
	}
	for _, call := range []struct {
		service, method string
		request, result any
	}{
		{"grpc.Health", "Check", fields{}, nil},
		{agent, "CreateSandbox", fields{"hostname": "h", "dns": []string{"nameserver 192.0.2.1"}, "sandbox_id": id}, nil},
		{agent, "CreateContainer", fields{"container_id": "c1", "OCI": spec}, nil},
		{agent, "StartContainer", container, nil},
		{agent, "ReadStdout", fields{"container_id": "c1", "len": 32 << 10}, &output},
		{agent, "WaitProcess", container, &exit},
		{agent, "RemoveContainer", container, nil},
		{agent, "DestroySandbox", fields{}, nil},
	} {
		if err := step(call.service, call.method, call.request, call.result); err != nil {
			return err
		}
	}
	if text, _ := base64.StdEncoding.DecodeString(output.Data); string(text) != "hello\n" {
		return fmt.Errorf("the container wrote %q, not hello", text)
	}
	if exit.Status != 7 {
		return fmt.Errorf("the container exited %d, not 7", exit.Status)
	}
	return nil
}

// annotations are the nine that a kata shim always sends.
var annotations = map[string]string{
	"io.kubernetes.cri.sandbox-name":                        "pod",
	"io.kubernetes.cri.sandbox-namespace":                   "default",
	"io.katacontainers.config.hypervisor.machine_type":      "",
	"io.katacontainers.config.hypervisor.image":             "",
	"io.katacontainers.config.hypervisor.default_vcpus":     "1",
	"io.katacontainers.config.hypervisor.default_memory":    "2048",
	"io.katacontainers.config.hypervisor.default_gpus":      "0",
	"io.katacontainers.config.hypervisor.default_gpu_model": "",
	"io.katacontainers.config.hypervisor.cc_init_data":      "",
}
