"use client";

import "avse-web/element";

export function SearchElement(attributes) {
  return <avse-search {...attributes} />;
}
