export function prepare() {}
export async function enter() {}
