// A picture to encode, of the size of the emoji set's: drawn here, so that none is fetched.

const SIDE = 96;

function draw() {
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, SIDE, SIDE);
  const disc = (colour, x, y, radius) => {
    context.fillStyle = colour;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
  };
  disc("#ffcc33", 48, 48, 40);
  disc("#442200", 34, 40, 5);
  disc("#442200", 62, 40, 5);
  disc("#cc3344", 48, 66, 12);
  return { canvas, context };
}

export const imageData = () => draw().context.getImageData(0, 0, SIDE, SIDE);
export const imageFile = () => draw().canvas.convertToBlob({ type: "image/png" });
