// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	hypervisor "github.com/kata-containers/kata-containers/src/runtime/protocols/hypervisor"
	types "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols"
	pb "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"

	"peerctl.test/peers/internal/podvminfo"
)

// describe says what kata's generated code knows, for comparing it with another schema. By full name: the fields of a
// message, as "number cardinality type" or "number map type type"; the numbers of an enum's values; the methods of a
// service, as "input output".
func describe() map[string]map[string]string {
	found := map[string]map[string]string{}
	for _, file := range []protoreflect.FileDescriptor{
		hypervisor.File_hypervisor_proto, types.File_types_proto, pb.File_agent_proto, pb.File_health_proto,
		pb.File_oci_proto, pb.File_csi_proto, podvminfo.File,
	} {
		describeMessages(file.Messages(), found)
		describeEnums(file.Enums(), found)
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			methods := map[string]string{}
			for j := range service.Methods().Len() {
				method := service.Methods().Get(j)
				methods[string(method.Name())] = fmt.Sprintf("%s %s", method.Input().FullName(), method.Output().FullName())
			}
			found[string(service.FullName())] = methods
		}
	}
	return found
}

func describeMessages(messages protoreflect.MessageDescriptors, found map[string]map[string]string) {
	for i := range messages.Len() {
		message := messages.Get(i)
		fields := map[string]string{}
		for j := range message.Fields().Len() {
			field := message.Fields().Get(j)
			fields[string(field.Name())] = describeField(field)
		}
		if !message.IsMapEntry() {
			found[string(message.FullName())] = fields
		}
		describeMessages(message.Messages(), found)
		describeEnums(message.Enums(), found)
	}
}

func describeField(field protoreflect.FieldDescriptor) string {
	if field.IsMap() {
		return fmt.Sprintf("%d map %s %s", field.Number(), kindOf(field.MapKey()), kindOf(field.MapValue()))
	}
	return fmt.Sprintf("%d %s %s", field.Number(), field.Cardinality(), kindOf(field))
}

// kindOf is the name of a scalar type, or the full name of a message or enum.
func kindOf(field protoreflect.FieldDescriptor) string {
	switch {
	case field.Message() != nil:
		return string(field.Message().FullName())
	case field.Enum() != nil:
		return string(field.Enum().FullName())
	}
	return field.Kind().String()
}

func describeEnums(enums protoreflect.EnumDescriptors, found map[string]map[string]string) {
	for i := range enums.Len() {
		enum := enums.Get(i)
		values := map[string]string{}
		for j := range enum.Values().Len() {
			value := enum.Values().Get(j)
			values[string(value.Name())] = fmt.Sprint(value.Number())
		}
		found[string(enum.FullName())] = values
	}
}
