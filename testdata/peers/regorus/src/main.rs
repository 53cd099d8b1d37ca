// SPDX-License-Identifier: Apache-2.0

//! Measures how fast regorus decides, for the benchmark of lib/rego: one JSON request on stdin, one JSON line out.
//!
//! Both of its ways are measured, the interpreter and the virtual machine; inputs are ready values in both.

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, Rc, Value};
use std::io::Read;
use std::time::Instant;

/// How many decisions are made between two looks at the clock.
const BATCH: usize = 32;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let request: serde_json::Value = serde_json::from_str(&text)?;
    let query = request["query"].as_str().ok_or("no query")?;
    let seconds = request["seconds"].as_f64().ok_or("no seconds")?;
    let data = Value::from_json_str(&request["data"].to_string())?;
    let inputs = request["inputs"]
        .as_array()
        .ok_or("no inputs")?
        .iter()
        .map(|each| Ok(Value::from_json_str(&each.to_string())?))
        .collect::<Outcome<Vec<Value>>>()?;

    let started = Instant::now();
    let mut engine = Engine::new();
    for (path, module) in request["modules"].as_object().ok_or("no modules")? {
        engine.add_policy(path.clone(), module.as_str().ok_or("no text")?.to_string())?;
    }
    engine.add_data(data.clone())?;
    let rule: Rc<str> = query.into();
    let policy = engine.compile_with_entrypoint(&rule)?;
    let load_seconds = started.elapsed().as_secs_f64();

    let interpreter = measure(&inputs, seconds, load_seconds, |input| {
        engine.set_input(input);
        Ok(engine.eval_rule(query.to_string())?)
    });
    let vm = machine(&policy, query, data).and_then(|(mut vm, more)| {
        measure(&inputs, seconds, load_seconds + more, |input| {
            vm.set_input(input);
            Ok(vm.execute()?)
        })
    });
    let shown = |outcome: Outcome<serde_json::Value>| {
        outcome.unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }))
    };
    println!("{}", serde_json::json!({ "interpreter": shown(interpreter), "vm": shown(vm) }));
    Ok(())
}

fn machine(policy: &regorus::CompiledPolicy, query: &str, data: Value) -> Outcome<(RegoVM, f64)> {
    let started = Instant::now();
    let program = Compiler::compile_from_policy(policy, &[query])?;
    let mut vm = RegoVM::new();
    vm.load_program(program);
    vm.set_data(data)?;
    Ok((vm, started.elapsed().as_secs_f64()))
}

/// Decides over the inputs in turn; a third of the time is spent before, to warm up.
fn measure(
    inputs: &[Value],
    seconds: f64,
    load_seconds: f64,
    mut decide: impl FnMut(Value) -> Outcome<Value>,
) -> Outcome<serde_json::Value> {
    let mut results = Vec::new();
    for input in inputs {
        let value = decide(input.clone())?;
        results.push(match value {
            Value::Undefined => serde_json::Value::Null,
            defined => serde_json::from_str(&defined.to_json_str()?)?,
        });
    }
    let mut rounds = |seconds: f64| -> Outcome<(usize, f64)> {
        let started = Instant::now();
        let mut n = 0;
        loop {
            for _ in 0..BATCH {
                decide(inputs[n % inputs.len()].clone())?;
                n += 1;
            }
            let passed = started.elapsed().as_secs_f64();
            if passed >= seconds {
                return Ok((n, passed));
            }
        }
    };
    rounds(seconds / 3.0)?;
    let (decisions, passed) = rounds(seconds)?;
    Ok(serde_json::json!({
        "decisions": decisions, "seconds": passed, "load_seconds": load_seconds, "results": results,
    }))
}
