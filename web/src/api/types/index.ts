/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of docs/api/openapi.yaml, by the names they have there. The test web.types compares
 * each interface with the `required` list of its schema. Every string may be hostile text. */
export type * from './blocks';
export type * from './captures';
export type * from './fleet';
export type * from './miners';
export type * from './pools';
export type * from './session';
export type * from './settings';
