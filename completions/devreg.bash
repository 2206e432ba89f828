# bash completion for devreg: it asks devreg itself, which answers from what it knows already.
_devreg() {
    local line=${COMP_LINE:0:COMP_POINT} word head="" breaks each files=""
    # bash takes `:` and `=` for the ends of words: what stands before the last of them is not replaced.
    word=${line##*[[:space:]]}
    breaks=${COMP_WORDBREAKS//[^:=]/}
    if [[ $breaks && $word == *[$breaks]* ]]; then
        head=${word%"${word##*[$breaks]}"}
    fi
    COMPREPLY=()
    while IFS= read -r each; do
        each=${each%%$'\t'*}
        if [[ $each == :files ]]; then
            files=yes
        else
            COMPREPLY+=("${each#"$head"}")
        fi
    done < <(_DEVREG_COMPLETE=bash _DEVREG_LINE=$line command devreg 2>/dev/null)
    if [[ $files && ${#COMPREPLY[@]} == 0 ]]; then
        compopt -o default 2>/dev/null
    elif [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _devreg devreg
