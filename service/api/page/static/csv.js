// A table as a CSV file to take away.

/** A field of RFC 4180; a leading sign that a spreadsheet would compute is made text. */
const field = (value) => `"${String(value).replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;

/** Lets the browser save lines of values; the mark in front tells spreadsheets that it is UTF-8. */
export function saveCsv(lines, name) {
  const text = lines.map((values) => `${values.map(field).join(",")}\r\n`).join("");
  const address = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
