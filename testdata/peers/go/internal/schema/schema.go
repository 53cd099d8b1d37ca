// SPDX-License-Identifier: Apache-2.0

// Package schema reads the .proto files beside it at start. They are written apart from lib/proto, from the same
// tables of fields, so that a slip in one of the two shows as a disagreement.
package schema

import (
	"context"
	"embed"
	"fmt"
	"io"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

//go:embed *.proto
var files embed.FS

// Schema knows the services of the peers.
type Schema struct {
	services map[string]protoreflect.ServiceDescriptor
}

// Load compiles the embedded files.
func Load() (*Schema, error) {
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		Accessor: func(path string) (io.ReadCloser, error) { return files.Open(path) },
	})}
	compiled, err := compiler.Compile(context.Background(), "hypervisor.proto", "podvminfo.proto", "oci.proto", "agent.proto")
	if err != nil {
		return nil, err
	}
	s := &Schema{services: map[string]protoreflect.ServiceDescriptor{}}
	for _, file := range compiled {
		for i := 0; i < file.Services().Len(); i++ {
			service := file.Services().Get(i)
			s.services[string(service.FullName())] = service
		}
	}
	return s, nil
}

// Methods returns the method descriptors of a service, nil when it is unknown.
func (s *Schema) Methods(service string) []protoreflect.MethodDescriptor {
	descriptor, ok := s.services[service]
	if !ok {
		return nil
	}
	methods := make([]protoreflect.MethodDescriptor, descriptor.Methods().Len())
	for i := range methods {
		methods[i] = descriptor.Methods().Get(i)
	}
	return methods
}

// Request decodes a JSON request and makes an empty reply for it.
func (s *Schema) Request(service, method string, request []byte) (in, out *dynamicpb.Message, err error) {
	for _, m := range s.Methods(service) {
		if string(m.Name()) != method {
			continue
		}
		in, out = dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())
		if len(request) > 0 {
			err = protojson.Unmarshal(request, in)
		}
		return in, out, err
	}
	return nil, nil, fmt.Errorf("the schema has no method %s/%s", service, method)
}

// JSON writes a message with the field names of the .proto files.
func JSON(message *dynamicpb.Message) ([]byte, error) {
	return protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
}

// Describe names each field that a method can reach as "input.OCI.Linux": "8 message", for comparing with another
// schema; the text after a path is the field number, what it holds, and whether it repeats.
func (s *Schema) Describe() map[string]map[string]string {
	methods := map[string]map[string]string{}
	for name := range s.services {
		for _, m := range s.Methods(name) {
			fields := map[string]string{}
			describe("input", m.Input(), fields)
			describe("output", m.Output(), fields)
			methods[name+"/"+string(m.Name())] = fields
		}
	}
	return methods
}

func describe(path string, message protoreflect.MessageDescriptor, fields map[string]string) {
	for i := 0; i < message.Fields().Len(); i++ {
		field := message.Fields().Get(i)
		name := path + "." + string(field.Name())
		cardinality := field.Cardinality().String()
		if field.IsMap() {
			cardinality = "map"
		}
		fields[name] = fmt.Sprintf("%d %s %s", field.Number(), field.Kind(), cardinality)
		if field.Message() != nil {
			describe(name, field.Message(), fields)
		}
	}
}

// Field is the value of a singular field, by name.
func Field(message protoreflect.Message, name string) protoreflect.Value {
	return message.Get(descriptor(message, name))
}

// String is the value of a string field, by name.
func String(message protoreflect.Message, name string) string { return Field(message, name).String() }

// Strings is the value of a repeated string field, by name.
func Strings(message protoreflect.Message, name string) []string {
	list := Field(message, name).List()
	values := make([]string, list.Len())
	for i := range values {
		values[i] = list.Get(i).String()
	}
	return values
}

// Set gives a singular field a value, by name.
func Set(message protoreflect.Message, name string, value any) {
	message.Set(descriptor(message, name), protoreflect.ValueOf(value))
}

// Mutable is a field that is changed in place, by name.
func Mutable(message protoreflect.Message, name string) protoreflect.Value {
	return message.Mutable(descriptor(message, name))
}

// Clear empties a field, by name.
func Clear(message protoreflect.Message, name string) { message.Clear(descriptor(message, name)) }

func descriptor(message protoreflect.Message, name string) protoreflect.FieldDescriptor {
	field := message.Descriptor().Fields().ByName(protoreflect.Name(name))
	if field == nil {
		panic(fmt.Sprintf("%s has no field %s", message.Descriptor().FullName(), name))
	}
	return field
}
