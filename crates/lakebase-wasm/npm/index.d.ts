/** A narrowing of a credential to tables of Unity Catalog. */
export interface Claim {
  /** What may be done, such as `"READ_ONLY"`. */
  permissionSet: string;
  /** Full names, `catalog.schema.table`; at least one. */
  tables: string[];
}

/** Who asks the workspace: exactly one of the four. */
export type Identity =
  | { clientId: string; clientSecret: string }
  /** A workspace token that somebody else keeps fresh. */
  | { token: string }
  /** Asked for a workspace token whenever a credential is minted; it may cache. */
  | { tokenProvider: () => string | Promise<string> }
  /**
   * Asked for an id token of another issuer (Cloudflare, Vercel, GitHub), which the workspace exchanges for one of its own. The federation
   * policy of the service principal `clientId` decides, without one the account's.
   */
  | { oidcToken: () => string | Promise<string>; clientId?: string };

/** What to connect to: an endpoint, or a branch whose endpoint is looked up. */
export type Target =
  /** `projects/…/branches/…/endpoints/…` */
  | { endpoint: string }
  /** The branch defaults to `production`. */
  | { project: string; branch?: string };

export type Options = Identity &
  Target & {
    /** The workspace's address, such as `https://dbc-1234.cloud.databricks.com`. */
    host: string;
    /** Sent as `X-Databricks-Workspace-Id`. */
    workspaceId?: string;
    /** Life of a credential in seconds, 300 to 3600. Default: the service's, one hour. */
    ttl?: number;
    claims?: Claim[];
    /** The Postgres role. Default: the client id, else the workspace is asked. */
    user?: string;
    /** The Postgres host. Default: the workspace is asked. */
    pgHost?: string;
    /** Default: `databricks_postgres`. */
    database?: string;
    /** Wants a read-only endpoint. Default: false. */
    readOnly?: boolean;
    /**
     * Longest time for one attempt at a credential in milliseconds, 100 to 60000. Default: 5000. A mint makes up to two attempts; one that
     * reports nothing for a second longer than that is taken over by another caller.
     */
    timeout?: number;
  };

export interface CallOptions {
  /** Ends the wait, with `kind: "timed_out"`; a mint that others may wait for goes on. */
  signal?: AbortSignal;
  /** `ctx.waitUntil.bind(ctx)` of a worker: lets a refresh go on in the background. Without it, the one caller that finds a refresh due waits for it. */
  waitUntil?: (work: Promise<unknown>) => void;
}

export type MintOptions = Options & Pick<CallOptions, "signal">;

export interface MintedCredential {
  /** The password for Postgres. */
  token: string;
  /** When Postgres stops taking it, by the server's clock. */
  expiresAt: Date;
  /** The endpoint it was minted for. */
  endpoint: string;
  /** The Postgres role, where it is known without asking. */
  user?: string;
}

export interface Credential {
  user: string;
  /** The password for Postgres. */
  token: string;
  /** When Postgres stops taking it, by the server's clock. */
  expiresAt: Date;
  host: string;
  port: number;
  database: string;
}

/** What every promise here is rejected with, and what the constructor throws. Never quotes a secret. */
export interface LakebaseError extends Error {
  name: "LakebaseError";
  kind:
    | "config" | "disabled" | "invalid_request" | "not_found" | "permission_denied" | "protocol"
    | "throttled" | "timed_out" | "unauthenticated" | "unavailable";
  /** The HTTP status of the reply, if there was one. */
  status?: number;
  /** Seconds that the service asked to be left alone. */
  retryAfter?: number;
}

/** Loads the module. Only needed in browsers, once, before anything else; elsewhere it does nothing. */
export default function init(): Promise<void>;

/** Mints one credential and keeps nothing: two requests, or three if the endpoint must be looked up. */
export function mintDatabaseCredential(options: MintOptions): Promise<MintedCredential>;

/**
 * Credentials that are minted on first use and refreshed on use, ahead of their expiry. Make one and keep it: requests that share it cause one mint.
 */
export class LakebaseCredentials {
  /** Checks the options; sends nothing, so it may be called at module scope. */
  constructor(options: Options);
  /** A login whose token lives. */
  credential(call?: CallOptions): Promise<Credential>;
  /** The same as `postgresql://user:token@host:5432/database?sslmode=verify-full`. */
  connectionString(call?: CallOptions): Promise<string>;
  /**
   * A living OAuth token of the workspace: what the Data API wants as `Authorization: Bearer`, and the
   * workspace's other APIs. Shared and refreshed as credentials are; a `token` or `tokenProvider` of the options is passed on as it is.
   */
  workspaceToken(call?: CallOptions): Promise<string>;
  /** Drops `token` if it is the current one: for a token that Postgres or the Data API refused. */
  invalidate(token: string): void;
  /** Frees its memory; not to be used afterwards. */
  free(): void;
}
