// The rows of a live table, which follow a list.

/**
 * Draws `records` as the rows of `body`, in their order, and marks the one whose id is
 * `changed`. `newRow` makes the row of a record that has none yet, and `fill` writes a
 * record into its row.
 */
export function drawRows(body, records, changed, { newRow, fill }) {
  const ids = new Set(records.map(({ id }) => `${id}`));
  for (const row of [...body.rows]) if (!ids.has(row.dataset.id)) row.remove();

  const drawn = new Map([...body.rows].map((row) => [row.dataset.id, row]));
  records.forEach((record, index) => {
    const row = drawn.get(`${record.id}`) ?? newRow(record);
    row.dataset.id = record.id;
    // Who takes a row out of the page, if only to put it back, takes the focus from it.
    // Why not add new rows at the end? After a restart, ids may begin at 1 again.
    if (row !== body.rows[index]) body.insertBefore(row, body.rows[index]);
    fill(row, record);
    row.classList.toggle("changed", record.id === changed);
  });
}
