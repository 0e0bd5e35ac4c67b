// Asks a running service with @huggingface/inference. usage: node hugging_face_client.mjs MODULES ADDRESS PICTURE
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, address, file] = process.argv.slice(2);
const { InferenceClient } = createRequire(`${modules}/`)("@huggingface/inference");
const client = new InferenceClient("");
const data = new Blob([readFileSync(file)]);
const endpointUrl = `${address}/models/cifar10`;
const answers = [
  await client.endpoint(endpointUrl).imageClassification({ data }),
  await client.imageClassification({ endpointUrl, inputs: data }),
];
try {
  await client.endpoint(`${address}/models/nothing`).imageClassification({ data });
} catch (error) {
  answers.push(error.message);
}
console.log(JSON.stringify(answers));
