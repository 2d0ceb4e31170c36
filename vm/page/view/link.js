// Deep links: `#step=120&view=memory&word=34` opens the page there, and the address follows what is looked at.

/** What a link asks for. @returns {{ step: number|null, view: string|null, word: number|null, bit: string|null }} */
export function readLink() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const number = (name) => (/^\d{1,9}$/.test(asked.get(name) ?? "") ? Number(asked.get(name)) : null);
  return { step: number("step"), view: asked.get("view"), word: number("word"), bit: asked.get("bit") };
}

/** Let the address name a place. Frames that may not change their address keep it. */
export function writeLink(place) {
  const parts = Object.entries(place)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  const wanted = `#${parts.join("&")}`;
  if (location.hash === wanted || location.protocol === "about:") return;
  history.replaceState(null, "", wanted);
}
