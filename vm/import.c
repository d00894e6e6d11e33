/* Imports: the steps and messages of CPython's importlib, for modules written in C, scripts compiled into the library,
 * and NAME.aio or NAME.py in the folders of sys.path.
 *
 * Order of search for a top-level name: core C modules; the folders of sys.path; the other C modules and the frozen
 * scripts. So a script's own random.py comes before ours, and its own sys.py does not, as in CPython.
 *
 * Invariants
 *  1. A module is in sys.modules before its code runs, and is taken out again if that raises.
 *  2. No pointer into sys.modules or sys.path is held while a module's code runs.
 */
#include "import.h"
#include "caps.h"
#include "codec.h"
#include "code.h"
#include "dict.h"
#include "file.h"
#include "frame.h"
#include "frozen.h"
#include "pack.h"
#include "list.h"
#include "native.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SOURCE_LIMIT = 64 << 20 };

static value raise_import(vm *vm, unsigned id, str *msg, value name, value path)
{
    if (!msg) return V_ERROR;
    ROOTS(vm, &name, &path);
    value e = exc_new(vm, id, value_obj(msg));
    if (value_is_error(e)) return e;
    exception *x = AS(exception, e);
    x->field[0] = value_obj(msg);
    x->field[1] = name;
    x->field[2] = path;
    return raise_exception(vm, e);
}

bool import_left_out(const str *name)
{
    for (const char *s = builtin_left_out; *s; s += strlen(s) + 1)
        if (str_equal_ascii(name, s)) return true;
    return false;
}

static value not_found(vm *vm, str *name, str *parent)
{
    str *msg;
    if (import_left_out(name))
        msg =
            str_format(vm, "No module named %R: this library is built without it (configure it with -Dmodules=core,%U)",
                       value_obj(name), name);
    else
        msg = parent ? str_format(vm, "No module named %R; %R is not a package", value_obj(name), value_obj(parent))
                     : str_format(vm, "No module named %R", value_obj(name));
    return raise_import(vm, EXC_ModuleNotFoundError, msg, value_obj(name), V_UNBOUND);
}

static int64_t last_dot(const str *s)
{
    for (size_t i = s->len; i-- > 0;)
        if (str_at(s, i) == '.') return (int64_t)i;
    return -1;
}
static size_t first_dot(const str *s)
{
    size_t i = 0;
    while (i < s->len && str_at(s, i) != '.') i++;
    return i;
}

static value modules_get(vm *vm, str *name) { return dict_get_str(vm, vm->modules, name); }

/* ---- folders and files ---- */

/* folder/name + tail as a NUL-terminated path in `buf`; false: too long or not a name of a file. */
static bool join_path(char *buf, size_t size, const char *folder, size_t nfolder, const char *name, const char *tail)
{
    size_t n = strlen(name), nt = strlen(tail);
    bool slash = nfolder && folder[nfolder - 1] != '/';
    if (memchr(folder, 0, nfolder) || nfolder + slash + n + nt + 1 > size) return false;
    memcpy(buf, folder, nfolder);
    if (slash) buf[nfolder++] = '/';
    memcpy(buf + nfolder, name, n);
    memcpy(buf + nfolder + n, tail, nt + 1);
    return true;
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}
static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The file of module `name` (its last component) in one folder. false: there is none; *plain_folder: but a folder. */
static bool find_in_folder(char *buf, size_t size, const char *folder, size_t n, const char *name, bool *is_package,
                           bool *plain_folder)
{
    static const char *const packages[] = {"/__init__.aio", "/__init__.py"};
    static const char *const files[] = {".aio", ".py"};
    *is_package = false;
    for (int i = 0; i < 2; i++) {
        if (join_path(buf, size, folder, n, name, packages[i]) && is_file(buf)) {
            *is_package = true;
            return true;
        }
    }
    for (int i = 0; i < 2; i++)
        if (join_path(buf, size, folder, n, name, files[i]) && is_file(buf)) return true;
    *plain_folder = join_path(buf, size, folder, n, name, "") && is_folder(buf);
    return false;
}

/* Reads a whole file; false: raised. */
static bool read_source(vm *vm, str *file, struct module_source *out)
{
    const char *path = str_wtf8(vm, file, NULL);
    if (!path) return false;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        raise_os_error(vm, errno, value_obj(file));
        if (fd >= 0) close(fd);
        return false;
    }
    bool ok = st.st_size <= SOURCE_LIMIT;
    if (!ok) raise(vm, EXC_MemoryError, "source is too long");
    out->size = (size_t)st.st_size + 1;
    out->text = ok ? mem_alloc(vm, out->size) : NULL;
    out->length = 0;
    while (out->text && out->length < out->size - 1) {
        ssize_t n = read(fd, out->text + out->length, out->size - 1 - out->length);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            raise_os_error(vm, errno, value_obj(file));
            mem_free(vm, out->text, out->size);
            out->text = NULL;
        }
        if (n <= 0) break;
        out->length += (size_t)n;
    }
    close(fd);
    if (!out->text) return false;
    out->text[out->length] = 0;
    return true;
}

/* Where a module comes from. */
struct found {
    enum { FOUND_NOTHING, FOUND_CORE, FOUND_FILE, FOUND_FROZEN, FOUND_FOLDERS, FOUND_HOST } what;
    const struct builtin_module *builtin;
    const struct frozen_module *frozen;
    str *file;     /* FOUND_FILE */
    list *folders; /* FOUND_FOLDERS: parts of a namespace package */
    bool is_package;
    struct module_source host; /* FOUND_HOST: text to be freed */
};

struct registry {
    struct builtin_module *modules;
    size_t n, cap;
    struct pack_seed *seed; /* of the frozen modules, its text behind it; NULL: none was read yet */
    char *docs;             /* of functions in C, likewise */
};                          /* vm->state[VMS_IMPORT] */

static struct registry *registry_of(vm *vm)
{
    if (!vm->state[VMS_IMPORT]) vm->state[VMS_IMPORT] = mem_zalloc(vm, sizeof(struct registry));
    return vm->state[VMS_IMPORT];
}

const struct builtin_module *builtin_find(vm *vm, str *name)
{
    for (size_t i = 0; i < builtin_module_count; i++)
        if (str_equal_ascii(name, builtin_modules[i].name)) return &builtin_modules[i];
    struct registry *r = vm->state[VMS_IMPORT];
    for (size_t i = 0; r && i < r->n; i++)
        if (str_equal_ascii(name, r->modules[i].name)) return &r->modules[i];
    return NULL;
}

bool import_register(vm *vm, const char *name, module_init_fn init)
{
    struct registry *r = registry_of(vm);
    if (!r) return false;
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 8;
        struct builtin_module *m = mem_realloc(vm, r->modules, r->cap * sizeof *m, cap * sizeof *m);
        if (!m) return false;
        r->modules = m;
        r->cap = cap;
    }
    r->modules[r->n++] = (struct builtin_module){.name = name, .init = init};
    return true;
}

void import_close(vm *vm)
{
    struct registry *r = vm->state[VMS_IMPORT];
    if (!r) return;
    mem_free(vm, r->modules, r->cap * sizeof *r->modules);
    if (r->seed) mem_free(vm, r->seed, sizeof *r->seed + frozen_seed_length);
    if (r->docs) mem_free(vm, r->docs, frozen_docs_length + 1);
    mem_free(vm, r, sizeof *r);
    vm->state[VMS_IMPORT] = NULL;
}

/* What all frozen modules are packed behind; NULL: no memory (raised), or damaged. */
static const struct pack_seed *frozen_seed_of(vm *vm)
{
    struct registry *r = registry_of(vm);
    if (!r || r->seed) return r ? r->seed : NULL;
    struct pack_seed *seed = mem_alloc(vm, sizeof *seed + frozen_seed_length);
    if (!seed) return NULL;
    char *text = (char *)(seed + 1);
    *seed = (struct pack_seed){.text = text, .length = frozen_seed_length};
    if (pack_decode(frozen_seed, frozen_seed_size, text, frozen_seed_length, NULL, &seed->model)) return r->seed = seed;
    mem_free(vm, seed, sizeof *seed + frozen_seed_length);
    return NULL;
}

/* The NUL-terminated text of a frozen module, to be freed (length + 1 bytes); NULL: raised. */
static char *frozen_text(vm *vm, const struct frozen_module *f)
{
    char *text = mem_alloc(vm, (size_t)f->length + 1);
    if (!text) return NULL;
    const struct pack_seed *seed = frozen_seed_of(vm);
    if (seed && pack_decode(frozen_packed + f->packed, f->size, text, f->length, seed, NULL)) {
        text[f->length] = 0;
        return text;
    }
    mem_free(vm, text, (size_t)f->length + 1);
    if (!raised(vm)) raise(vm, EXC_ImportError, "the library's copy of %s is damaged", frozen_name(f));
    return NULL;
}

const char *frozen_docs_of(vm *vm)
{
    struct registry *r = registry_of(vm);
    if (!r || r->docs) return r ? r->docs : NULL;
    char *text = mem_alloc(vm, frozen_docs_length + 1);
    if (!text) return NULL;
    const struct pack_seed *seed = frozen_seed_of(vm);
    if (seed && pack_decode(frozen_docs, frozen_docs_size, text, frozen_docs_length, seed, NULL)) {
        text[frozen_docs_length] = 0;
        return r->docs = text;
    }
    mem_free(vm, text, frozen_docs_length + 1);
    if (!raised(vm)) raise(vm, EXC_SystemError, "the library's docs are damaged");
    return NULL;
}

static const struct frozen_module *frozen_find(vm *vm, str *name)
{
    size_t len;
    const char *s = str_utf8(vm, name, &len);
    if (s && memchr(s, 0, len)) return NULL;
    if (!s) {
        exc_clear(vm);
        return NULL;
    }
    size_t lo = 0, hi = frozen_module_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = strcmp(frozen_name(&frozen_modules[mid]), s);
        if (c == 0) return &frozen_modules[mid];
        if (c < 0) lo = mid + 1;
        else hi = mid;
    }
    return NULL;
}

/* Without CAP_FS only what lies in the host's import folder can be reached. */
static bool folder_allowed(vm *vm, const char *folder)
{
    if (LIKELY(vm->caps & CAP_FS)) return true;
    size_t n = vm->import_folder ? strlen(vm->import_folder) : 0;
    return n && strncmp(folder, vm->import_folder, n) == 0 && (!folder[n] || folder[n] == '/') && !strstr(folder, "..");
}

/* Looks for `tail`, the last component of a name, in the folders of `path` (a list or other iterable). */
static bool find_on_path(vm *vm, value path, str *tail, struct found *out)
{
    char buf[4096], cwd[4096];
    list *l = obj_to_list(vm, path);
    if (!l) return false;
    ROOTS(vm, &l);
    size_t ntail;
    const char *name = str_wtf8(vm, tail, &ntail);
    if (!name) return false;
    if (ntail == 0 || ntail > 255 || memchr(name, '/', ntail) || memchr(name, 0, ntail)) return true;
    for (size_t i = 0; i < l->len; i++) {
        size_t n;
        bool plain_folder;
        if (!IS_STR(l->items[i])) continue;
        const char *folder = str_wtf8(vm, AS(str, l->items[i]), &n);
        if (!folder) return false;
        if (!folder_allowed(vm, folder)) continue;
        if (n == 0) {
            if (!getcwd(cwd, sizeof cwd)) continue;
            folder = cwd;
            n = strlen(cwd);
        }
        if (find_in_folder(buf, sizeof buf, folder, n, name, &out->is_package, &plain_folder)) {
            out->what = FOUND_FILE;
            out->folders = NULL;
            out->file = str_new_utf8(vm, buf, strlen(buf));
            return out->file != NULL;
        }
        if (plain_folder) {
            if (!out->folders && !(out->folders = list_new(vm, 1))) return false;
            str *s = str_new_utf8(vm, buf, strlen(buf));
            if (!s || !list_append(vm, out->folders, value_obj(s))) return false;
        }
    }
    if (out->folders) out->what = FOUND_FOLDERS;
    return true;
}

/* path: the parent package's __path__, unbound for a top-level name. false: raised. */
static bool find_module(vm *vm, str *name, value path, struct found *out)
{
    *out = (struct found){0};
    int64_t dot = last_dot(name);
    str *tail = dot < 0 ? name : str_substr(vm, name, (size_t)dot + 1, name->len);
    if (!tail) return false;
    out->builtin = builtin_find(vm, name);
    if (out->builtin && out->builtin->core && !vm->import_allowed) {
        out->what = FOUND_CORE;
        return true;
    }
    ROOTS(vm, &tail);
    /* the embedding host decides: what the library has, then its own sources */
    if (UNLIKELY(vm->import_allowed != NULL)) {
        const char *text = str_utf8(vm, name, NULL);
        if (!text) return false;
        bool allowed = vm->import_allowed(vm, text);
        if (!allowed) out->builtin = NULL;
        if (out->builtin) {
            out->what = FOUND_CORE;
            return true;
        }
        if (allowed && (out->frozen = frozen_find(vm, name))) {
            out->what = FOUND_FROZEN;
            out->is_package = out->frozen->is_package;
            return true;
        }
        int r = vm->import_load ? vm->import_load(vm, name, &out->host) : 0;
        if (r < 0) return false;
        if (r > 0) {
            out->what = FOUND_HOST;
            out->is_package = out->host.is_package;
            return true;
        }
    }
    if (value_is_unbound(path)) path = sys_attribute(vm, "path");
    if (!value_is_unbound(path) && !value_is_none(path) && !find_on_path(vm, path, tail, out)) return false;
    if (out->what == FOUND_FILE || vm->import_allowed) return true;
    if (out->builtin) {
        out->what = FOUND_CORE;
    } else if ((out->frozen = frozen_find(vm, name))) {
        out->what = FOUND_FROZEN;
        out->is_package = out->frozen->is_package;
    }
    return true;
}

bool import_find_source(vm *vm, str *name, struct module_source *out)
{
    struct found f;
    *out = (struct module_source){0};
    value parent_path = V_UNBOUND;
    int64_t dot = last_dot(name);
    if (dot >= 0) {
        str *parent = str_substr(vm, name, 0, (size_t)dot);
        value m = parent ? import_module(vm, parent) : V_ERROR;
        if (value_is_error(m)) return false;
        parent_path = obj_getattr(vm, m, N(vm, __path__));
        if (value_is_error(parent_path)) return false;
    }
    if (!find_module(vm, name, parent_path, &f)) return false;
    if (f.what == FOUND_FROZEN) {
        out->file = str_format(vm, "<frozen %U>", name);
        out->text = out->file ? frozen_text(vm, f.frozen) : NULL;
        if (!out->text) return false;
        out->size = (size_t)f.frozen->length + 1;
        out->length = f.frozen->length;
        out->is_package = f.is_package;
        return true;
    }
    if (f.what != FOUND_FILE) {
        not_found(vm, name, NULL);
        return false;
    }
    out->file = f.file;
    out->is_package = f.is_package;
    return read_source(vm, f.file, out);
}

/* ---- loading ---- */

module *import_builtin(vm *vm, str *name, const struct builtin_module *b)
{
    str *doc = b->doc ? str_from_cstr(vm, b->doc) : NULL;
    module *m = doc || !b->doc ? module_new(vm, name, doc ? value_obj(doc) : V_UNBOUND) : NULL;
    if (!m) return NULL;
    ROOTS(vm, &m, &name);
    m->h.flags |= MODULE_BUILTIN;
    if (!dict_set_str(vm, m->dict, N(vm, __package__), value_obj(vm->empty_str)) ||
        !dict_set_str(vm, vm->modules, name, value_obj(m)))
        return NULL;
    if (b->init(vm, m)) return m;
    value pending = vm->thread->exc;
    vm->thread->exc = V_UNBOUND;
    dict_pop_str(vm, vm->modules, name);
    vm->thread->exc = pending;
    return NULL;
}

static bool set_package_names(vm *vm, module *m, str *name, str *file, bool is_package)
{
    int64_t dot = last_dot(name);
    str *package = is_package ? name : dot < 0 ? vm->empty_str : str_substr(vm, name, 0, (size_t)dot);
    if (!package || !dict_set_str(vm, m->dict, N(vm, __package__), value_obj(package))) return false;
    if (file && !dict_set_str(vm, m->dict, N(vm, __file__), value_obj(file))) return false;
    if (!is_package || !file) return true;
    list *path = list_new(vm, 1);
    size_t cut = file->len;
    while (cut > 0 && str_at(file, cut - 1) != '/') cut--;
    str *folder = str_substr(vm, file, 0, cut ? cut - 1 : 0);
    return path && folder && list_append(vm, path, value_obj(folder)) &&
           dict_set_str(vm, m->dict, N(vm, __path__), value_obj(path));
}

/* Compiles and runs the module's text in m, which goes to sys.modules. false: raised, and it is out again. */
static bool run_module(vm *vm, module *m, str *name, str *filename, const char *text, size_t n)
{
    ROOTS(vm, &m, &name);
    if (!dict_set_str(vm, m->dict, N(vm, __builtins__), value_obj(vm->builtins)) ||
        !dict_set_str(vm, vm->modules, name, value_obj(m)))
        return false;
    m->h.flags |= MODULE_INITIALIZING;
    code *c = compile_source(vm, text, n, filename, COMPILE_FILE, 0, NULL);
    value v = c ? interp_run_code(vm, c, m->dict, V_UNBOUND) : V_ERROR;
    m->h.flags &= (uint16_t)~MODULE_INITIALIZING;
    if (!value_is_error(v)) return true;
    value pending = exc_take(vm);
    ROOTS(vm, &pending);
    dict_pop_str(vm, vm->modules, name);
    vm->thread->exc = pending;
    return false;
}

static bool load_found(vm *vm, str *name, struct found *f)
{
    ROOTS(vm, &name, &f->file, &f->folders);
    if (f->what == FOUND_CORE) return import_builtin(vm, name, f->builtin) != NULL;
    module *m = module_new(vm, name, V_UNBOUND);
    if (!m) return false;
    ROOTS(vm, &m);
    if (f->what == FOUND_FOLDERS) {
        m->h.flags |= MODULE_NAMESPACE;
        return set_package_names(vm, m, name, NULL, true) &&
               dict_set_str(vm, m->dict, N(vm, __path__), value_obj(f->folders)) &&
               dict_set_str(vm, vm->modules, name, value_obj(m));
    }
    if (f->what == FOUND_FROZEN) {
        str *file = str_format(vm, "<frozen %U>", name);
        list *path = f->is_package ? list_new(vm, 0) : NULL;
        if (!file || (f->is_package && !path) || !set_package_names(vm, m, name, NULL, f->is_package)) return false;
        if (path && !dict_set_str(vm, m->dict, N(vm, __path__), value_obj(path))) return false;
        ROOTS(vm, &file);
        m->h.flags |= MODULE_FROZEN;
        char *text = frozen_text(vm, f->frozen);
        bool ran = text && run_module(vm, m, name, file, text, f->frozen->length);
        mem_free(vm, text, (size_t)f->frozen->length + 1);
        return ran;
    }
    if (f->what == FOUND_HOST) {
        struct module_source *src = &f->host;
        str *file = src->file;
        ROOTS(vm, &file);
        list *path = src->is_package ? list_new(vm, 0) : NULL;
        bool ran = (path || !src->is_package) && set_package_names(vm, m, name, NULL, src->is_package) &&
                   dict_set_str(vm, m->dict, N(vm, __file__), value_obj(file)) &&
                   (!path || dict_set_str(vm, m->dict, N(vm, __path__), value_obj(path))) &&
                   run_module(vm, m, name, file, src->text, src->length);
        mem_free(vm, src->text, src->size);
        return ran;
    }
    struct module_source src = {0};
    if (!set_package_names(vm, m, name, f->file, f->is_package) || !read_source(vm, f->file, &src)) return false;
    bool ok = run_module(vm, m, name, f->file, src.text, src.length);
    mem_free(vm, src.text, src.size);
    return ok;
}

static value import_absolute(vm *vm, str *name);

/* name is not in sys.modules. The module, or V_ERROR raised. */
static value find_and_load(vm *vm, str *name)
{
    int64_t dot = last_dot(name);
    str *parent = NULL;
    value parent_module = V_UNBOUND, path = V_UNBOUND;
    struct found f = {0};
    ROOTS(vm, &name, &parent, &parent_module, &path);
    if (dot >= 0) {
        parent = str_substr(vm, name, 0, (size_t)dot);
        if (!parent) return V_ERROR;
        parent = str_intern(vm, parent);
        if (!parent) return V_ERROR;
        parent_module = import_absolute(vm, parent);
        if (value_is_error(parent_module)) return V_ERROR;
        value again = modules_get(vm, name); /* the parent may have imported it */
        if (!value_is_unbound(again)) return again;
        path = obj_getattr_opt(vm, parent_module, N(vm, __path__));
        if (value_is_unbound(path)) return raised(vm) ? V_ERROR : not_found(vm, name, parent);
    }
    if (!find_module(vm, name, path, &f)) return V_ERROR;
    if (f.what == FOUND_NOTHING) return not_found(vm, name, NULL);
    if (!load_found(vm, name, &f)) return V_ERROR;
    value m = modules_get(vm, name);
    if (value_is_unbound(m)) return raise_key_error(vm, value_obj(name));
    if (parent) {
        str *tail = str_substr(vm, name, (size_t)dot + 1, name->len);
        if (!tail) return V_ERROR;
        tail = str_intern(vm, tail);
        ROOTS(vm, &m);
        if (!tail || !obj_setattr(vm, parent_module, tail, m)) {
            if (!exc_clear_if(vm, EXC_AttributeError)) return V_ERROR;
        }
    }
    return m;
}

static value import_absolute(vm *vm, str *name)
{
    value m = modules_get(vm, name);
    if (LIKELY(!value_is_unbound(m) && !value_is_none(m))) return m;
    if (value_is_none(m))
        return raise_import(vm, EXC_ModuleNotFoundError,
                            str_format(vm, "import of %U halted; None in sys.modules", name), value_obj(name),
                            V_UNBOUND);
    if (!vm_enter(vm)) return V_ERROR;
    m = find_and_load(vm, name);
    vm_leave(vm);
    return m;
}

value import_module(vm *vm, str *name)
{
    str *s = str_intern(vm, str_plain(name));
    return s ? import_absolute(vm, s) : V_ERROR;
}

/* ---- the import statement ---- */

/* The package that relative names in a module start from; NULL raised. */
static str *package_of(vm *vm, dict *globals)
{
    value package = globals ? dict_get_str(vm, globals, N(vm, __package__)) : V_UNBOUND;
    if (!value_is_unbound(package) && !value_is_none(package)) {
        if (IS_STR(package)) return AS(str, package);
        raise_type_error(vm, "package must be a string");
        return NULL;
    }
    value name = globals ? dict_get_str(vm, globals, N(vm, __name__)) : V_UNBOUND;
    if (value_is_unbound(name)) {
        raise(vm, EXC_KeyError, "'__name__' not in globals");
        return NULL;
    }
    if (!IS_STR(name)) {
        raise_type_error(vm, "__name__ must be a string");
        return NULL;
    }
    if (!value_is_unbound(dict_get_str(vm, globals, N(vm, __path__)))) return AS(str, name);
    int64_t dot = last_dot(AS(str, name));
    return dot < 0 ? vm->empty_str : str_substr(vm, AS(str, name), 0, (size_t)dot);
}

static str *resolve_relative(vm *vm, str *name, dict *globals, uint32_t level)
{
    str *package = package_of(vm, globals);
    if (!package) return NULL;
    if (package->len == 0) {
        raise(vm, EXC_ImportError, "attempted relative import with no known parent package");
        return NULL;
    }
    while (--level > 0) {
        int64_t dot = last_dot(package);
        if (dot < 0) {
            raise(vm, EXC_ImportError, "attempted relative import beyond top-level package");
            return NULL;
        }
        package = str_substr(vm, package, 0, (size_t)dot);
        if (!package) return NULL;
    }
    return name->len ? str_format(vm, "%U.%U", package, name) : package;
}

/* `from package import a, b`: names that are not attributes may be submodules. */
static bool import_submodules(vm *vm, value m, value names, bool is_all)
{
    ROOTS(vm, &m);
    list *l = obj_to_list(vm, names);
    if (!l) return false;
    ROOTS(vm, &l);
    for (size_t i = 0; i < l->len; i++) {
        value item = l->items[i];
        if (!IS_STR(item)) {
            value own = obj_getattr(vm, m, N(vm, __name__));
            if (value_is_error(own)) return false;
            if (is_all) raise_type_error(vm, "Item in %S.__all__ must be str, not %T", own, item);
            else raise_type_error(vm, "Item in ``from list'' must be str, not %T", item);
            return false;
        }
        str *name = AS(str, item);
        if (name->len == 1 && str_at(name, 0) == '*') {
            if (is_all) continue;
            value all = obj_getattr_opt(vm, m, N(vm, __all__));
            if (raised(vm)) return false;
            if (!value_is_unbound(all) && !import_submodules(vm, m, all, true)) return false;
            continue;
        }
        name = str_intern(vm, str_plain(name));
        if (!name) return false;
        value have = obj_getattr_opt(vm, m, name);
        if (!value_is_unbound(have)) continue;
        if (raised(vm)) return false;
        value own = obj_getattr(vm, m, N(vm, __name__));
        if (value_is_error(own)) return false;
        str *full = str_format(vm, "%S.%U", own, name);
        if (!full || !(full = str_intern(vm, full))) return false;
        ROOTS(vm, &full);
        if (!value_is_error(import_absolute(vm, full))) continue;
        if (!exc_matches(vm, EXC_ModuleNotFoundError)) return false;
        value missing = AS(exception, vm->thread->exc)->field[1];
        if (!IS_STR(missing) || !str_eq(AS(str, missing), full)) return false;
        exc_clear(vm); /* `from` will say that the name can't be imported */
    }
    return true;
}

value import_name(vm *vm, str *name, dict *globals, value fromlist, uint32_t level)
{
    str *full = name;
    ROOTS(vm, &name, &full, &globals, &fromlist);
    if (level > 0) {
        full = resolve_relative(vm, name, globals, level);
        if (!full) return V_ERROR;
    } else if (name->len == 0) {
        return raise_value_error(vm, "Empty module name");
    }
    full = str_intern(vm, str_plain(full));
    if (!full) return V_ERROR;
    value m = import_absolute(vm, full);
    if (value_is_error(m)) return V_ERROR;
    ROOTS(vm, &m);
    int wanted = value_is_none(fromlist) || value_is_unbound(fromlist) ? 0 : obj_truth(vm, fromlist);
    if (wanted < 0) return V_ERROR;
    if (wanted) {
        value path = obj_getattr_opt(vm, m, N(vm, __path__));
        if (value_is_unbound(path)) return raised(vm) ? V_ERROR : m;
        return import_submodules(vm, m, fromlist, false) ? m : V_ERROR;
    }
    if (name->len == 0) return m;
    /* `import a.b.c` binds a. */
    size_t dot = first_dot(name);
    if (dot == name->len) return m;
    size_t cut = level == 0 ? dot : full->len - (name->len - dot);
    str *top = str_substr(vm, full, 0, cut);
    if (!top || !(top = str_intern(vm, top))) return V_ERROR;
    return import_absolute(vm, top);
}

value import_from(vm *vm, value m, str *name)
{
    value v = obj_getattr_opt(vm, m, name);
    if (LIKELY(!value_is_unbound(v)) || raised(vm)) return v;
    ROOTS(vm, &m, &name);
    value own = obj_getattr_opt(vm, m, N(vm, __name__)), file = V_UNBOUND;
    if (raised(vm)) return V_ERROR;
    if (!IS_STR(own))
        return raise_import(
            vm, EXC_ImportError,
            str_format(vm, "cannot import name '%U' from '<unknown module name>' (unknown location)", name), V_UNBOUND,
            V_UNBOUND);
    ROOTS(vm, &own, &file);
    str *full = str_format(vm, "%U.%U", own, name);
    if (!full) return V_ERROR;
    v = modules_get(vm, full);
    if (!value_is_unbound(v)) return v;
    file = obj_getattr_opt(vm, m, N(vm, __file__));
    if (raised(vm)) return V_ERROR;
    bool partial = value_is_kind(m, K_MODULE) && (AS(module, m)->h.flags & MODULE_INITIALIZING);
    value where = IS_STR(file) ? file : V_UNBOUND;
    str *msg;
    if (value_is_unbound(where))
        msg = str_format(vm, "cannot import name '%U' from '%U' (unknown location)", name, own);
    else if (partial)
        msg = str_format(vm,
                         "cannot import name '%U' from partially initialized module '%U' (most likely due to a "
                         "circular import) (%U)",
                         name, own, where);
    else msg = str_format(vm, "cannot import name '%U' from '%U' (%U)", name, own, where);
    return raise_import(vm, EXC_ImportError, msg, own, where);
}

bool import_star(vm *vm, value m, value namespace)
{
    ROOTS(vm, &m, &namespace);
    bool skip_private = false;
    value names = obj_getattr_opt(vm, m, N(vm, __all__));
    if (value_is_unbound(names)) {
        if (raised(vm)) return false;
        value d = obj_getattr_opt(vm, m, N(vm, __dict__));
        if (value_is_unbound(d)) {
            if (!raised(vm)) raise(vm, EXC_ImportError, "from-import-* object has no __dict__ and no __all__");
            return false;
        }
        names = d; /* its keys */
        skip_private = true;
    }
    list *l = obj_to_list(vm, names);
    if (!l) return false;
    ROOTS(vm, &l);
    for (size_t i = 0; i < l->len; i++) {
        value item = l->items[i];
        if (!IS_STR(item)) {
            value own = obj_getattr(vm, m, N(vm, __name__));
            if (value_is_error(own)) return false;
            raise_type_error(
                vm, skip_private ? "Key in %S.__dict__ must be str, not %T" : "Item in %S.__all__ must be str, not %T",
                own, item);
            return false;
        }
        str *name = AS(str, item);
        if (skip_private && name->len && str_at(name, 0) == '_') continue;
        name = str_intern(vm, str_plain(name));
        value v = name ? obj_getattr(vm, m, name) : V_ERROR;
        if (value_is_error(v)) return false;
        bool ok = value_is_exact(namespace, TYPE_DICT) ? dict_set_str(vm, AS(dict, namespace), name, v)
                                                       : obj_setitem(vm, namespace, value_obj(name), v);
        if (!ok) return false;
    }
    return true;
}

/* ---- sys.path ---- */

static bool add_folder(vm *vm, list *l, const char *s, size_t n)
{
    str *folder = str_new_utf8(vm, s, n);
    return folder && list_append(vm, l, value_obj(folder));
}

bool import_set_path(vm *vm, const char *folder)
{
    list *l = list_new(vm, 2);
    value sys = modules_get(vm, N(vm, sys));
    if (!l || !value_is_kind(sys, K_MODULE)) return false;
    if (folder && !add_folder(vm, l, folder, strlen(folder))) return false;
    const char *p = vm->state[VMS_API] ? NULL : getenv("AIOVM_PATH"); /* the command's */
    while (p && *p) {
        size_t n = strcspn(p, ":");
        size_t bad, bad_end, points;
        uint32_t maxchar;
        const char *why;
        if (n && utf8_check((const uint8_t *)p, n, &points, &maxchar, &bad, &bad_end, &why) && !add_folder(vm, l, p, n))
            return false;
        p += n + (p[n] == ':');
    }
    return module_add(vm, AS(module, sys), "path", value_obj(l));
}
