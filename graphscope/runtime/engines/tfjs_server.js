// Runs TF.js graph models: a request in JSON on each line of standard input, the answer on a line of standard output.
//   {"load": "path/of/model.json"}          -> {"signature": {...}, "inputs": [{name, shape, dtype}], "outputs": [...]}
//   {"run": "path/of/model.json", "feeds": {name: tensor}, "outputs": [name]} -> {"outputs": [tensor]}
// A tensor is {"dtype", "shape", "data"}: little-endian bytes in base64, or for strings a list of them.
// Whatever fails answers {"error": "..."}.
"use strict";
const fs = require("fs");
const path = require("path");
const readline = require("readline");

const places = { paths: [process.cwd(), __dirname] };
const installed = (name) => require(require.resolve(`@tensorflow/${name}`, places));
console.log = console.error; // standard output is for answers

const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array, complex64: Float32Array };
const models = new Map();
let tf, converter;

function start() {
  tf = installed("tfjs-core");
  installed("tfjs-backend-cpu");
  converter = installed("tfjs-converter");
  return { version: converter.version_converter };
}

function files(file) {
  const { weightsManifest, ...artifacts } = JSON.parse(fs.readFileSync(file, "utf8"));
  const shards = weightsManifest.flatMap((group) => group.paths);
  const bytes = Buffer.concat(shards.map((name) => fs.readFileSync(path.join(path.dirname(file), name))));
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  return { ...artifacts, weightSpecs: weightsManifest.flatMap((group) => group.weights), weightData };
}

async function load(file) {
  const model = await converter.loadGraphModel({ load: async () => files(file) });
  models.set(file, model);
  const ends = (infos) => (infos || []).map(({ name, shape, dtype }) => ({ name, shape, dtype }));
  return { signature: model.modelSignature, inputs: ends(model.inputs), outputs: ends(model.outputs) };
}

function tensor({ dtype, shape, data }) {
  if (dtype === "string") {
    return tf.tensor(data.map((text) => new Uint8Array(Buffer.from(text, "base64"))), shape, dtype);
  }
  const bytes = Buffer.from(data, "base64");
  const values = new ARRAYS[dtype](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  if (dtype !== "complex64") return tf.tensor(values, shape, dtype);
  const part = (first) => tf.tensor(values.filter((_, i) => i % 2 === first), shape);
  return tf.complex(part(0), part(1));
}

async function written(found) {
  const { dtype, shape } = found;
  if (!shape.every(Number.isInteger)) throw new Error(`it gives a tensor of shape [${shape}]`);
  if (dtype === "string") {
    const texts = await found.bytes();
    return { dtype, shape, data: texts.map((bytes) => Buffer.from(bytes).toString("base64")) };
  }
  const values = ARRAYS[dtype].from(await found.data());
  return { dtype, shape, data: Buffer.from(values.buffer).toString("base64") };
}

async function run({ run: file, feeds, outputs }) {
  const model = models.get(file);
  const given = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, tensor(value)]));
  let found;
  try {
    found = model.execute(given, outputs);
  } catch (error) {
    if (!/executeAsync/.test(error.message)) throw error;
    found = await model.executeAsync(given, outputs);
  }
  const answer = [];
  for (const each of [found].flat()) answer.push(await written(each));
  return { outputs: answer };
}

async function answer(request) {
  if (request.start) return start();
  if (request.load) return load(request.load);
  return run(request);
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const said = await answer(JSON.parse(line)).catch((error) => ({ error: String(error.message || error) }));
    process.stdout.write(JSON.stringify(said) + "\n");
  }
}

main();
