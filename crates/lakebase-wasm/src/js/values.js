// Values on their way in and out, each object with one call.

/**
 * The properties that are named and there, neither `undefined` nor `null`, after a number with a bit for each: [bits, value, …].
 * Throws the name of one that cannot be read.
 */
export function properties(object, names) {
  const found = [0];
  let bit = 1;
  for (const name of names.split(" ")) {
    let value;
    try {
      value = object[name];
    } catch {
      throw name;
    }
    if (value !== undefined && value !== null) {
      found[0] |= bit;
      found.push(value);
    }
    bit <<= 1;
  }
  return found;
}

export function minted(token, expiresAt, endpoint, user) {
  return { token, expiresAt: new Date(expiresAt), endpoint, ...(user && { user }) };
}

export function login(user, token, expiresAt, host, port, database) {
  return { user, token, expiresAt: new Date(expiresAt), host, port, database };
}
