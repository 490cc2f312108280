"use client";

import { Avse } from "avse-web";
import { useEffect, useState } from "react";

export function Search({ model, gallery }) {
  const [search, setSearch] = useState(null);
  const [hits, setHits] = useState([]);
  const [status, setStatus] = useState("Loading …");

  useEffect(() => {
    const life = new AbortController();
    const { signal } = life;
    const fail = (error) => signal.aborted || setStatus(error.message);
    const loading = Avse.load(model, { signal });
    const ready = loading.then(async (avse) => {
      const pictures = await avse.openGallery(gallery, { signal });
      setSearch(() => (text) => avse.searchText(pictures, text, { signal }).then(({ hits }) => setHits(hits), fail));
      setStatus(`${pictures.size} pictures`);
    });
    ready.catch(fail);
    return () => {
      life.abort();
      loading.then((avse) => avse.dispose(), () => {});
    };
  }, [model, gallery]);

  return (
    <>
      <input type="search" aria-label="Describe a picture" disabled={!search} onChange={(event) => search(event.target.value)} />
      <p role="status">{status}</p>
      <ol>{hits.map(({ index, key, caption }) => <li key={index}>{caption ?? key}</li>)}</ol>
    </>
  );
}
