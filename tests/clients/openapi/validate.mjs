// Is the contract what it says it is: an OpenAPI 3.1 document, by the official schema, whose references all lead somewhere?
import { Validator } from "@seriousme/openapi-schema-validator";

const validator = new Validator();
const result = await validator.validate(await (await fetch(`${process.env.BASE_URL}/openapi.json`)).json());
if (!result.valid) throw new Error(JSON.stringify(result.errors, null, 2));
if (validator.version !== "3.1") throw new Error(`OpenAPI ${validator.version}`);
validator.resolveRefs();
