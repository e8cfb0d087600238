// Files that a person drops, pastes or chooses, also by the folder: each with the path that it has there.

const LONGEST = 255; // characters of a name

/**
 * Take what is dropped on `target` or pasted into the page: `take` gets `{ file, path }` in an
 * array, and `refuse` the reason when a folder can't be read.
 */
export function takeFiles(target, take, refuse) {
  target.addEventListener("dragover", (event) => {
    event.preventDefault();
    target.classList.add("over");
  });
  target.addEventListener("dragleave", () => target.classList.remove("over"));
  target.addEventListener("drop", async (event) => {
    event.preventDefault();
    target.classList.remove("over");
    try {
      const files = await dropped(event.dataTransfer);
      if (files.length) take(files);
      else refuse("There is no file in it.");
    } catch (error) {
      refuse(`It can't be read: ${error.message}`);
    }
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    // office programs give a picture of the text beside it
    const isText = event.clipboardData?.types.includes("text/plain") && event.target.closest("input, textarea");
    if (files.length && !isText) take(files.map(withPath));
  });
}

/** Take the files that are chosen by an `<input type="file">`, or of a folder. */
export function takeChosen(input, take) {
  input.addEventListener("change", () => {
    const files = [...input.files].map(withPath);
    input.value = ""; // so that the same file can be chosen again
    if (files.length) take(files);
  });
}

/** What a file is called that came in a folder: its path, as far as names may have one. */
export function nameOf({ path }) {
  return path.replace(/[/\\]+/g, " - ").slice(-LONGEST);
}

function withPath(file) {
  return { file, path: file.webkitRelativePath || file.name };
}

async function dropped(transfer) {
  const files = [...transfer.files];
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()); // before it is over
  if (!entries.some((entry) => entry?.isDirectory)) return files.map(withPath);
  const found = [];
  for (const entry of entries) if (entry) await walk(entry, found);
  return found;
}

async function walk(entry, found) {
  const path = entry.fullPath.slice(1);
  if (entry.isFile) {
    found.push({ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const each of some) await walk(each, found);
  }
}
