import { Search } from "./search";
import { SearchElement } from "./search-element";

// An export of `avse export-web` lies in public/data/.
export default function Page() {
  return (
    <main>
      <Search model="/data/" gallery="/data/pictures/" />
      <SearchElement model="/data/" gallery="/data/captions/" placeholder="Find captions" />
    </main>
  );
}
