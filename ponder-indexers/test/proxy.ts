// A door to a node, at which a test may answer in its place.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";

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
  /** Where to all are sent on. */
  redirect: string | undefined;
  /** Others are not answered. */
  admits: (request: IncomingMessage) => boolean = () => true;
  private readonly server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (!this.admits(request)) {
      response.writeHead(401).end();
      return;
    }
    if (this.redirect !== undefined) {
      response.writeHead(307, { location: this.redirect }).end();
      return;
    }
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

  /** Those who asked for a websocket, in their order. */
  readonly tunnels: IncomingMessage[] = [];

  private constructor(private readonly node: string) {
    this.server.on("upgrade", (request, socket, head) => {
      this.tunnels.push(request);
      const { hostname, port } = new URL(node);
      const far = connect(Number(port), hostname);
      const lines = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
      far.write(`GET / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      far.write(head);
      far.pipe(socket).pipe(far);
      for (const end of [far, socket]) end.on("error", () => end.destroy());
      socket.on("close", () => far.destroy());
      far.on("close", () => socket.destroy());
    });
  }

  /** Ends all websockets. */
  async cut(): Promise<void> {
    await Promise.all(
      this.tunnels.map(async ({ socket }) => {
        if (socket.destroyed) return;
        socket.destroy();
        await once(socket, "close");
      }),
    );
  }

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
    await this.cut();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }
}

const JSON_BODY = { "content-type": "application/json" };
