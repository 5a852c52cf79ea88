// JSON-RPC by HTTP over kept-alive connections: a third of the time that `fetch` takes a request,
// and the traffic makes two requests a transaction.
import { Agent, request } from "node:http";

/** An answer that takes longer than this is a fault: the node is on the same machine. */
const ANSWER_MS_MAX = 30_000;

export interface Question {
  method: string;
  params: readonly unknown[];
}

interface Answer {
  id: number;
  result?: unknown;
  error?: { code: number; message: string; data?: unknown };
}

/** The node's refusal, with the revert's data where there is one. */
export class RefusedError extends Error {
  constructor(
    message: string,
    readonly data: unknown,
  ) {
    super(message);
  }
}

export class Rpc {
  private readonly agent = new Agent({ keepAlive: true });

  constructor(private readonly url: string) {}

  async ask<T>(method: string, params: readonly unknown[] = []): Promise<T> {
    const answer = (await this.post(questionText({ method, params }, 0))) as Answer;
    return resultOf<T>(answer);
  }

  /** Many questions in one request. A refused one fails them all. */
  async askAll<T>(questions: readonly Question[]): Promise<T[]> {
    const answers = (await this.post(`[${questions.map(questionText).join()}]`)) as Answer[];
    const byId = new Map(answers.map(answer => [answer.id, answer]));
    return questions.map((question, id) => {
      const answer = byId.get(id);
      if (!answer) throw new Error(`no answer to ${question.method}`);
      return resultOf<T>(answer);
    });
  }

  private async post(body: string): Promise<unknown> {
    // Nothing is tried again: a transaction sent twice would take the place of the next one.
    const text = await new Promise<string>((resolve, reject) => {
      const headers = {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      };
      const signal = AbortSignal.timeout(ANSWER_MS_MAX);
      const options = { method: "POST", agent: this.agent, headers, signal };
      const sending = request(this.url, options, response => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
        response.on("error", reject);
      });
      sending.on("error", (error: NodeJS.ErrnoException) =>
        reject(new Error(`no answer from ${this.url}: ${error.code ?? error.message}`)),
      );
      sending.end(body);
    });
    try {
      return JSON.parse(text);
    } catch {
      throw new Error(`${this.url} does not speak JSON-RPC`);
    }
  }
}

function questionText(question: Question, id: number): string {
  return JSON.stringify({ jsonrpc: "2.0", id, ...question });
}

function resultOf<T>({ error, result }: Answer): T {
  if (error) throw new RefusedError(error.message, error.data);
  return result as T;
}
