// A door to a node, at which a test may answer in its place.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Question {
  id: number;
  method: string;
  params: unknown[];
}

/** What is answered in the node's place; undefined: ask the node. */
type Answer = { result: unknown } | { error: { code: number; message: string } } | undefined;

export class NodeProxy {
  /** Who sees each question first. */
  answer: (question: Question) => Promise<Answer> | Answer = () => undefined;
  private readonly server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString("utf8");
    try {
      const question = JSON.parse(body) as Question;
      const ours = await this.answer(question);
      const answer = ours
        ? { jsonrpc: "2.0", id: question.id, ...ours }
        : await (await fetch(this.node, { method: "POST", headers: JSON_BODY, body })).json();
      response.writeHead(200, JSON_BODY).end(JSON.stringify(answer));
    } catch {
      // As a node that is down.
      request.socket.destroy();
    }
  });

  private constructor(private readonly node: string) {}

  static async start(node: string): Promise<NodeProxy> {
    const proxy = new NodeProxy(node);
    proxy.server.listen(0, "127.0.0.1");
    await once(proxy.server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async end(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }
}

const JSON_BODY = { "content-type": "application/json" };
