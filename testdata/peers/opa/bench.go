// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// How many decisions are made between two looks at the clock.
const benchBatch = 32

// benchRequest asks how fast one prepared query decides over a list of inputs.
type benchRequest struct {
	Modules map[string]string `json:"modules"`
	Data    json.RawMessage   `json:"data"`
	Query   string            `json:"query"`
	Inputs  []json.RawMessage `json:"inputs"`
	// Seconds is how long to measure; a third of that is spent before, to warm up.
	Seconds float64 `json:"seconds"`
	// Parsed takes the inputs as ready values; otherwise each decision converts its input from Go's maps.
	Parsed bool `json:"parsed"`
}

type benchAnswer struct {
	Decisions int     `json:"decisions"`
	Seconds   float64 `json:"seconds"`
	// LoadSeconds is the time to parse and compile the modules and to prepare the query.
	LoadSeconds float64 `json:"load_seconds"`
	// Results are the values the query gave for each input, to compare.
	Results []any `json:"results"`
}

func bench(request benchRequest) (*benchAnswer, error) {
	ctx := context.Background()
	store, err := newStore(request.Data)
	if err != nil {
		return nil, err
	}
	started := time.Now()
	options := []func(*rego.Rego){rego.Query(request.Query), rego.Store(store)}
	for path, text := range request.Modules {
		options = append(options, rego.Module(path, text))
	}
	prepared, err := rego.New(options...).PrepareForEval(ctx)
	if err != nil {
		return nil, err
	}
	found := &benchAnswer{LoadSeconds: time.Since(started).Seconds()}
	inputs := []rego.EvalOption{}
	for _, text := range request.Inputs {
		option, err := evalInput(text, request.Parsed)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, option)
	}
	for _, input := range inputs {
		results, err := prepared.Eval(ctx, input)
		if err != nil {
			return nil, err
		}
		var value any
		if len(results) > 0 {
			value = results[0].Expressions[0].Value
		}
		found.Results = append(found.Results, value)
	}
	if _, _, err := decide(ctx, prepared, inputs, request.Seconds/3); err != nil {
		return nil, err
	}
	found.Decisions, found.Seconds, err = decide(ctx, prepared, inputs, request.Seconds)
	return found, err
}

func evalInput(text json.RawMessage, parsed bool) (rego.EvalOption, error) {
	if parsed {
		value, err := ast.ValueFromReader(bytes.NewReader(text))
		return rego.EvalParsedInput(value), err
	}
	var value any
	err := decode(bytes.NewReader(text), &value)
	return rego.EvalInput(value), err
}

func decide(ctx context.Context, q rego.PreparedEvalQuery, inputs []rego.EvalOption, seconds float64) (int, float64, error) {
	started := time.Now()
	for n := 0; ; {
		for range benchBatch {
			if _, err := q.Eval(ctx, inputs[n%len(inputs)]); err != nil {
				return 0, 0, err
			}
			n++
		}
		if passed := time.Since(started).Seconds(); passed >= seconds {
			return n, passed, nil
		}
	}
}
