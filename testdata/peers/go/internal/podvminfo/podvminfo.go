// SPDX-License-Identifier: Apache-2.0

// Package podvminfo asks which VM runs a pod. The service is cloud-api-adaptor's own, whose module could not be
// fetched: its two messages are spelled out here, from the same table of fields as lib/proto.
package podvminfo

import (
	"context"

	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Service is its name on the wire.
const Service = "podvminfo.PodVMInfo"

const text, truth = descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_TYPE_BOOL

// File describes the two messages.
var File = mustFile()

// GetInfo asks for the VM of a pod; messages are those of File.
func GetInfo(ctx context.Context, client *ttrpc.Client, request proto.Message) (proto.Message, error) {
	reply := dynamicpb.NewMessage(File.Messages().ByName("GetInfoResponse"))
	return reply, client.Call(ctx, Service, "GetInfo", request, reply)
}

// NewRequest is an empty GetInfoRequest.
func NewRequest() proto.Message {
	return dynamicpb.NewMessage(File.Messages().ByName("GetInfoRequest"))
}

func mustFile() protoreflect.FileDescriptor {
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("podvminfo.proto"), Package: proto.String("podvminfo"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			{Name: proto.String("GetInfoRequest"), Field: []*descriptorpb.FieldDescriptorProto{
				field("PodName", 1, text), field("PodNamespace", 2, text), field("Wait", 3, truth),
			}},
			{Name: proto.String("GetInfoResponse"), Field: []*descriptorpb.FieldDescriptorProto{field("VMID", 1, text)}},
		},
	}, nil)
	if err != nil {
		panic(err)
	}
	return file
}

func field(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
	return &descriptorpb.FieldDescriptorProto{
		Name: proto.String(name), JsonName: proto.String(name), Number: proto.Int32(number), Type: kind.Enum(),
		Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
}
