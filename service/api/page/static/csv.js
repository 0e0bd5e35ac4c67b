// Downloads a table as a CSV file.

/** A field of RFC 4180; a leading quote stops spreadsheets from reading the value as a formula. */
const field = (value) => `"${String(value).replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;

/** Downloads rows of values; the byte order mark tells spreadsheets that the file is UTF-8. */
export function saveCsv(lines, name) {
  const text = lines.map((values) => `${values.map(field).join(",")}\r\n`).join("");
  const address = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
