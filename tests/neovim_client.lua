-- Neovim's own client asks a language server 50 times, sometimes for what cannot be answered, about main.sbn and
-- parts.sbn in the current folder. $SERVER is the command line of the server, with a newline between two words.
local path = vim.fn.getcwd() .. "/main.sbn"
local part = vim.fn.getcwd() .. "/parts.sbn"
vim.cmd("edit " .. path)
local began = vim.loop.hrtime()
local id = vim.lsp.start_client({ name = "sbn", cmd = vim.split(vim.env.SERVER, "\n"), root_dir = vim.fn.getcwd() })
vim.lsp.buf_attach_client(0, id)
local client
assert(vim.wait(30000, function() client = vim.lsp.get_client_by_id(id); return client and client.initialized end), "no server")
print(string.format("initialized after %.2f s", (vim.loop.hrtime() - began) / 1e9))
local uri = vim.uri_from_fname(path)
local doc = { uri = uri }
local function place(l, c) return { textDocument = doc, position = { line = l, character = c } } end
local all = { textDocument = doc, range = { start = { line = 0, character = 0 }, ["end"] = { line = 9, character = 0 } }, context = { diagnostics = {} }, options = { tabSize = 8, insertSpaces = true } }
local requests = {}
local function add(m, p) requests[#requests + 1] = { m, p } end
for round = 1, 3 do
  add("textDocument/hover", place(2, 9)); add("textDocument/hover", place(5, 17)); add("textDocument/definition", place(2, 9))
  add("textDocument/definition", place(3, 16)); add("textDocument/references", vim.tbl_extend("force", place(5, 0), { context = { includeDeclaration = true } }))
  add("textDocument/completion", place(2, 8)); add("textDocument/signatureHelp", place(2, 16)); add("textDocument/documentSymbol", all)
  add("textDocument/foldingRange", all); add("textDocument/formatting", all); add("textDocument/codeAction", all)
  add("textDocument/semanticTokens/full", all); add("textDocument/rename", vim.tbl_extend("force", place(5, 0), { newName = "m" }))
end
add("textDocument/hover", {}); add("textDocument/hover", place(-1, 3)); add("textDocument/hover", place(10000000, 3)); add("textDocument/rename", vim.tbl_extend("force", place(5, 0), { newName = "1x" }))
add("textDocument/definition", { textDocument = { uri = "file:///nowhere" }, position = { line = 0, character = 0 } })
add("nonsense/method", {}); add("workspace/executeCommand", { command = 7 }); add("textDocument/completion", { textDocument = 3 })
add("textDocument/codeAction", { textDocument = doc, range = "x" }); add("textDocument/rename", place(5, 0)); add("textDocument/documentHighlight", place(5, 0))
local times, refused = {}, 0
for _, r in ipairs(requests) do
  local t = vim.loop.hrtime()
  local done, err = false, nil
  client.request(r[1], r[2], function(e, result) done = true; err = e end, 0)
  assert(vim.wait(20000, function() return done end, 1), "no answer to " .. r[1])
  times[#times + 1] = (vim.loop.hrtime() - t) / 1e6
  if err then refused = refused + 1 end
end
table.sort(times)
print(string.format("%d requests, %d of them refused with an error; median %.1f ms, longest %.1f ms", #times, refused, times[math.ceil(#times / 2)], times[#times]))
vim.wait(3000, function() return #vim.diagnostic.get(0) > 0 end, 10)
print("diagnostics before: " .. #vim.diagnostic.get(0))
-- an unsaved change of the included file is seen in main
vim.cmd("edit " .. part)
vim.lsp.buf_attach_client(0, id)
vim.api.nvim_buf_set_lines(0, 4, 5, false, { "        .equ LENGTH, 3" })
local main = vim.fn.bufnr(path)
assert(vim.wait(10000, function() return #vim.diagnostic.get(main) == 1 end, 10), "unsaved text is not seen")
print("after an unsaved change of parts.sbn: " .. vim.diagnostic.get(main)[1].message:gsub("\n", " "))
client.stop(); vim.wait(5000, function() return client.is_stopped() end)
print("stopped: " .. tostring(client.is_stopped()))
vim.cmd("qa!")
