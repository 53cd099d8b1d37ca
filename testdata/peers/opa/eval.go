// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Longest time for one query: a policy that was made at random may not end.
const evalTimeout = time.Second

// evalRequest is one policy and one question. Data, Input are JSON texts, so that numbers stay as they are written.
type evalRequest struct {
	ID      int               `json:"id"`
	Modules map[string]string `json:"modules"`
	Data    json.RawMessage   `json:"data"`
	Query   string            `json:"query"`
	Input   json.RawMessage   `json:"input"`
	// InputTerm is Rego text that stands in for Input.
	InputTerm string `json:"input_term"`
	// Strict stops the query at a builtin's error.
	Strict bool `json:"strict"`
	// StrictCompiler reports unused variables and the like as errors, as `opa check --strict`.
	StrictCompiler bool `json:"strict_compiler"`
}

// evalAnswer has either the bindings of each result or the errors.
type evalAnswer struct {
	ID      int                          `json:"id"`
	Results []map[string]json.RawMessage `json:"results,omitempty"`
	Errors  []evalError                  `json:"errors,omitempty"`
}

type evalError struct {
	// Stage is "load" or "eval".
	Stage   string `json:"stage"`
	Code    string `json:"code"`
	Message string `json:"message"`
	File    string `json:"file,omitempty"`
	Row     int    `json:"row,omitempty"`
	Col     int    `json:"col,omitempty"`
}

func answer(request evalRequest) (found evalAnswer) {
	defer func() {
		if r := recover(); r != nil {
			found = evalAnswer{ID: request.ID, Errors: []evalError{{Stage: "eval", Code: "panic", Message: fmt.Sprint(r)}}}
		}
	}()
	results, stage, err := evaluate(request)
	if err != nil {
		return evalAnswer{ID: request.ID, Errors: describe(stage, err)}
	}
	return evalAnswer{ID: request.ID, Results: results}
}

func evaluate(request evalRequest) ([]map[string]json.RawMessage, string, error) {
	compiler, err := compile(request.Modules, request.StrictCompiler)
	if err != nil {
		return nil, "load", err
	}
	body, err := ast.ParseBodyWithOpts(request.Query, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		return nil, "load", err
	}
	compiled, err := compiler.QueryCompiler().Compile(body)
	if err != nil {
		return nil, "load", err
	}
	ctx := context.Background()
	store, err := newStore(request.Data)
	if err != nil {
		return nil, "load", err
	}
	input, err := parseInput(request)
	if err != nil {
		return nil, "load", err
	}
	cancel := topdown.NewCancel()
	timer := time.AfterFunc(evalTimeout, cancel.Cancel)
	defer timer.Stop()
	found, err := topdown.NewQuery(compiled).
		WithCompiler(compiler).
		WithStore(store).
		WithTransaction(storage.NewTransactionOrDie(ctx, store)).
		WithInput(input).
		WithStrictBuiltinErrors(request.Strict).
		WithCancel(cancel).
		Run(ctx)
	if err != nil {
		return nil, "eval", err
	}
	results := []map[string]json.RawMessage{}
	for _, each := range found {
		bindings := map[string]json.RawMessage{}
		for name, term := range each {
			// The compiler's own variables are nobody's business.
			if !strings.HasPrefix(string(name), "__local") {
				bindings[string(name)] = []byte(typed(term.Value))
			}
		}
		results = append(results, bindings)
	}
	return results, "", nil
}

func compile(modules map[string]string, strict bool) (*ast.Compiler, error) {
	parsed := map[string]*ast.Module{}
	for path, text := range modules {
		module, err := ast.ParseModuleWithOpts(path, text, ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, err
		}
		if module != nil {
			parsed[path] = module
		}
	}
	compiler := ast.NewCompiler().WithStrict(strict)
	if compiler.Compile(parsed); compiler.Failed() {
		return nil, compiler.Errors
	}
	return compiler, nil
}

func newStore(text json.RawMessage) (storage.Store, error) {
	data := map[string]any{}
	if len(text) > 0 {
		if err := decode(bytes.NewReader(text), &data); err != nil {
			return nil, err
		}
	}
	return inmem.NewFromObject(data), nil
}

func parseInput(request evalRequest) (*ast.Term, error) {
	if request.InputTerm != "" {
		return ast.ParseTerm(request.InputTerm)
	}
	if len(request.Input) == 0 {
		return nil, nil
	}
	value, err := ast.ValueFromReader(bytes.NewReader(request.Input))
	if err != nil {
		return nil, err
	}
	return ast.NewTerm(value), nil
}

func describe(stage string, err error) []evalError {
	var several ast.Errors
	if errors.As(err, &several) {
		list := []evalError{}
		for _, each := range several {
			list = append(list, located(stage, each.Code, each.Message, each.Location))
		}
		return list
	}
	var one *topdown.Error
	if errors.As(err, &one) {
		return []evalError{located(stage, one.Code, one.Message, one.Location)}
	}
	return []evalError{{Stage: stage, Code: "other", Message: err.Error()}}
}

func located(stage, code, message string, at *ast.Location) evalError {
	found := evalError{Stage: stage, Code: code, Message: message}
	if at != nil {
		found.File, found.Row, found.Col = at.File, at.Row, at.Col
	}
	return found
}

// typed writes a value as JSON that keeps sets apart from arrays, keys of any type, and numbers as text:
// null, true, "text", {"n":"1.5"}, {"a":[...]}, {"s":[...]}, {"o":[[key,value],...]}, in OPA's order.
func typed(value ast.Value) string {
	switch v := value.(type) {
	case ast.Number:
		return `{"n":` + quoted(string(v)) + `}`
	case ast.String:
		return quoted(string(v))
	case *ast.Array:
		parts := []string{}
		v.Foreach(func(each *ast.Term) { parts = append(parts, typed(each.Value)) })
		return `{"a":[` + strings.Join(parts, ",") + `]}`
	case ast.Set:
		parts := []string{}
		v.Sorted().Foreach(func(each *ast.Term) { parts = append(parts, typed(each.Value)) })
		return `{"s":[` + strings.Join(parts, ",") + `]}`
	case ast.Object:
		parts := []string{}
		// Objects iterate by their keys' order.
		v.Foreach(func(key, each *ast.Term) {
			parts = append(parts, `[`+typed(key.Value)+`,`+typed(each.Value)+`]`)
		})
		return `{"o":[` + strings.Join(parts, ",") + `]}`
	}
	return value.String()
}

func quoted(text string) string {
	written, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(written)
}
