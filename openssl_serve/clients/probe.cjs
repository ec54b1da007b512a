// A program of its own, for any Node.js: asks for one URL as that Node.js does by default.
//
//     node probe.cjs URL
//
// Prints one line of JSON: `program`, `version`, and `says` (why it refuses the server, or null).

const tell = (says) =>
  console.log(JSON.stringify({ program: process.execPath, version: process.versions.node, says }));

require("https")
  .get(process.argv[2], (response) => {
    response.resume();
    tell(null);
  })
  .on("error", (error) => tell(error.message));
