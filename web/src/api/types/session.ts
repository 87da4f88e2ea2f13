/* SPDX-License-Identifier: Apache-2.0 */
/* Who is logged in, accounts and tokens. */

export type Role = 'viewer' | 'operator' | 'admin';

export interface Session {
  user: string;
  role: Role;
  /** null: every site. */
  sites: string[] | null;
  /** Made with a token rather than a session. */
  token: boolean;
  expires: number | null;
}

export interface User {
  name: string;
  role: Role;
  sites: string[] | null;
  disabled: boolean;
  created: number;
  password_set: number | null;
}

export interface Token {
  id: number;
  name: string;
  /** Only in the answer that makes it. */
  token: string | null;
  role: Role;
  sites: string[] | null;
  created: number;
  created_by: string;
  expires: number | null;
  used: number | null;
}

export interface OpenSession {
  id: number;
  user: string;
  address: string;
  opened: number;
  used: number;
  expires: number;
  current: boolean;
}
